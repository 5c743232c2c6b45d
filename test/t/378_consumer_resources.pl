# peer_S3: threads, descriptors and memory of a session stay flat over consumers that come and go, half a
# million messages, a hundred thousand savepoints and a thousand rollbacks.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;

my $MESSAGES = $ENV{KAFKA_FDW_MESSAGES} // 500_000;
# Helper threads, connections that are being made anew, clients that are being destroyed aside.
my $SLACK = 12;
my $SLACK_MB = 32;

my $node = KafkaFdwTest::node($ENV{KAFKA_BROKERS});
my $control = KafkaFdwTest::session($node);
KafkaFdwTest::topic($control, 'resources', partitions => 2, options => "delivery 'immediate'");
$control->query_safe("INSERT INTO resources (id, pad, part) SELECT i, repeat('x', 80), i % 2 FROM generate_series(1, $MESSAGES) i", 120);

sub memory_mb
{
	my ($session) = @_;
	return PostgreSQL::Test::Utils::slurp_file('/proc/' . $session->pid . '/status') =~ /^RssAnon:\s+(\d+)/m ? $1 / 1024 : die 'no RssAnon';
}

# Runs CODE(N) for N of 1 to ROUNDS; what the session holds after EARLY rounds and at the end.
sub flat
{
	my ($what, $session, $early, $rounds, $code) = @_;
	my (@threads, @descriptors, @memory);
	my $begun = time;
	for my $n (1 .. $rounds)
	{
		$code->($n);
		next unless $n == $early || $n == $rounds;
		push @threads, KafkaFdwTest::threads_of($session->pid);
		push @descriptors, KafkaFdwTest::descriptors_of($session->pid);
		push @memory, memory_mb($session);
	}
	cmp_ok($threads[1], '<=', $threads[0] + $SLACK, "$what: threads, $threads[0] after $early and $threads[1] after $rounds");
	cmp_ok($descriptors[1], '<=', $descriptors[0] + $SLACK, "$what: descriptors, $descriptors[0] and $descriptors[1]");
	cmp_ok($memory[1], '<=', $memory[0] + $SLACK_MB, sprintf '%s: memory, %.1f MB and %.1f MB', $what, @memory);
	note sprintf 'resources: %s: threads %d, %d; descriptors %d, %d; MB %.1f, %.1f; %.1f s', $what, @threads, @descriptors, @memory, time - $begun;
	return;
}

# --- consumers that come and go, some before they have joined

my $session = KafkaFdwTest::session($node);
my @strategies = qw(range cooperative-sticky);
flat('subscribe, poll, close', $session, 40, 200, sub {
	my ($n) = @_;
	my $wait = $n % 4 ? 0 : '5s';
	$session->query_safe("SELECT kafka.subscribe('resources', 'resources_$n', start => 'earliest',
		options => '{\"partition.assignment.strategy\": \"$strategies[$n % 2]\"}')");
	$session->query_safe("SELECT count(*) FROM kafka.poll(10, '$wait')");
	$session->query_safe('SELECT kafka.close_consumer()') if $n % 3;
});
flat('assign, poll, close', $session, 20, 100, sub {
	$session->query_safe("SELECT kafka.assign('resources')");
	is($session->query_safe("SELECT count(*) FROM kafka.poll(10, '10s')"), '10', 'ten') if $_[0] == 1;
	$session->query_safe("SELECT count(*) FROM kafka.poll(10, '10s'); SELECT kafka.close_consumer()");
});
$session->quit;

# --- a million messages

my $BATCH = 10_000;
$session = KafkaFdwTest::session($node);
$session->query_safe("SELECT kafka.subscribe('resources', 'resources', start => 'earliest')");
my $polled = 0;
flat('messages', $session, 20, $MESSAGES / $BATCH, sub {
	$polled += $session->query_safe("SELECT count(*) FROM kafka.poll($BATCH, '10s')");
});
my $more = KafkaFdwTest::wait_until(
	sub { $polled += $session->query_safe("SELECT count(*) FROM kafka.poll($BATCH, '500ms')"); return $polled >= $MESSAGES; }, 30, 'all are polled');
is($polled, $MESSAGES, 'each message is polled once');

# --- savepoints

my $SAVEPOINTS = 100_000;
$session->query_safe("SELECT kafka.seek('resources', NULL, 'earliest')");
$session->query_safe('CREATE TABLE polled (id int)');
$session->query_safe(<<'SQL');
	CREATE FUNCTION pg_temp.savepoints(n int) RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE
	  sum bigint := 0;
	BEGIN
	  FOR i IN 1 .. n LOOP
	    BEGIN
	      sum := sum + (SELECT count(*) FROM kafka.poll(1, '10s'));
	    EXCEPTION WHEN division_by_zero THEN
	      NULL;
	    END;
	  END LOOP;
	  RETURN sum;
	END $$
SQL
$session->query_safe('BEGIN');
my $taken = 0;
flat('savepoints', $session, 2, 10, sub { $taken += $session->query_safe('SELECT pg_temp.savepoints(' . $SAVEPOINTS / 10 . ')', 120) });
is($taken, $SAVEPOINTS, 'each savepoint has its message');
is($session->query_safe('SELECT sum("offset") FROM kafka.position()'), $SAVEPOINTS, 'and the positions are behind them');
$session->query_safe('ROLLBACK');
is($session->query_safe('SELECT sum("offset") FROM kafka.position()'), '0', 'ROLLBACK brings back all of them');

# --- rollbacks

my %first;
flat('rollbacks', $session, 100, 500, sub {
	$first{ $session->query_safe("BEGIN; SELECT min(\"offset\") FROM kafka.poll(50, '10s'); ROLLBACK") }++;
});
is_deeply(\%first, { 0 => 500 }, 'after each rollback the same messages come');
is($session->query_safe(<<'SQL'), '0|1000', 'and after each ROLLBACK TO');
	DO $$
	DECLARE
	  seen bigint;
	BEGIN
	  CREATE TEMP TABLE firsts (o bigint);
	  FOR i IN 1 .. 1000 LOOP
	    BEGIN
	      SELECT min("offset") INTO seen FROM kafka.poll(50, '10s');
	      RAISE division_by_zero;
	    EXCEPTION WHEN division_by_zero THEN
	      INSERT INTO firsts VALUES (seen);
	    END;
	  END LOOP;
	END $$;
	SELECT max(o), count(*) FROM firsts
SQL

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
