# Transactions in a session and of two: ROLLBACK leaves nothing (peer_W5), transactional ids
# never fence each other, and a session reads what it has just committed.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $broker = KafkaFdwTest::broker();
my $node = KafkaFdwTest::node($broker->bootstrap);
my $session = KafkaFdwTest::session($node);
my $other = KafkaFdwTest::session($node);
KafkaFdwTest::topic($session, 'rolled_back', partitions => 2);
KafkaFdwTest::topic($session, 'shared');
KafkaFdwTest::topic($session, 'own', partitions => 2);
KafkaFdwTest::topic($session, 'own_immediate', partitions => 2, options => "delivery 'immediate'");

# --- peer_W5

my $marks = "SELECT sum(high), sum(last_stable) FROM kafka.watermarks('rolled_back')";
my $before = $session->query_safe($marks);
$session->query_safe("SET kafka_fdw.send_buffer = '64kB'");
$session->query_safe("BEGIN; INSERT INTO rolled_back (id, pad) SELECT i, repeat('x', 50) FROM generate_series(1, 50000) i", 60);
$session->query_safe('ROLLBACK');
is($session->query($marks), $before, 'the high watermark has not moved after ROLLBACK of 50,000 rows');
$session->query("BEGIN; INSERT INTO rolled_back (id) SELECT 1 / (50000 - i) FROM generate_series(1, 50000) i");
$session->query('COMMIT');
is($session->query($marks), $before, 'nor after a statement that failed at its end');
$session->query_safe('BEGIN; SAVEPOINT s; INSERT INTO rolled_back (id) VALUES (1); ROLLBACK TO s; COMMIT');
is($session->query($marks), $before, 'nor after ROLLBACK TO');

# --- two sessions, each with its transactional id

$session->query_safe(<<'SQL');
	CREATE PROCEDURE commits(first int, n int) LANGUAGE plpgsql AS $$
	BEGIN
	  FOR i IN first .. first + n - 1 LOOP
	    INSERT INTO shared (id) VALUES (i);
	    COMMIT;
	  END LOOP;
	END $$
SQL
$session->send('CALL commits(1, 50)');
$other->send('CALL commits(1001, 50)');
for my $one ($session, $other)
{
	$one->result(60);
	is($one->error, '', 'a session commits 50 times beside another');
}
is($session->query('SELECT count(*), count(DISTINCT id) FROM shared'), '100|100', 'all messages are there, each once');

# Properties of the producer follow settings: an earlier one must not be taken up again after
# a later one has fenced it.
for my $timeout (qw(20s 30s 20s 30s 20s))
{
	$session->query_safe("SET kafka_fdw.commit_timeout = '$timeout'");
	$session->query('INSERT INTO shared (id) VALUES (2000)');
	is($session->state, '00000', "COMMIT after commit_timeout has changed to $timeout") or diag $session->error;
}

# A role of its own is a transactional id of its own.
$session->query_safe('CREATE ROLE sender; GRANT USAGE ON FOREIGN SERVER kafka TO sender; GRANT INSERT ON shared TO sender');
for my $round (1 .. 3)
{
	$session->query('SET ROLE sender');
	$session->query('INSERT INTO shared (id) VALUES (3000)');
	is($session->state, '00000', "COMMIT as another role, round $round") or diag $session->error;
	$session->query('RESET ROLE');
	$session->query('INSERT INTO shared (id) VALUES (3000)');
	is($session->state, '00000', "and as the first again, round $round") or diag $session->error;
}
is($session->query('SELECT count(*) FROM shared WHERE id = 3000'), '6', 'with all their messages');

# A session that takes the place of one that ended, and its transactional id.
for my $round (1 .. 5)
{
	my $short = KafkaFdwTest::session($node);
	$short->query('INSERT INTO shared (id) VALUES (4000)');
	is($short->state, '00000', "a session in another's place commits, round $round") or diag $short->error;
	$short->quit;
}

# --- after a COMMIT that failed

$session->query_safe("SET kafka_fdw.commit_timeout = '1s'");
$session->query_safe('BEGIN; INSERT INTO shared (id) VALUES (5000)');
$broker->pause;
$session->query('COMMIT', 30);
isnt($session->state, '00000', 'a COMMIT fails');
$broker->resume;
$session->query('INSERT INTO shared (id) VALUES (5001)', 30);
is($session->state, '00000', 'the next one does not') or diag $session->error;
is($session->query('SELECT count(*) FROM shared WHERE id = 5001'), '1', 'and has its message');

# --- a session reads its own writes

$session->query_safe("SET kafka_fdw.commit_timeout = '30s'");
for my $table (qw(own own_immediate))
{
	my @short;
	for my $n (1 .. 200)
	{
		$session->query_safe("INSERT INTO $table (id) VALUES ($n)");
		my $count = $session->query("SELECT count(*) FROM $table");
		push @short, "$count after $n" if $count ne $n;
	}
	is_deeply(\@short, [], "$table: each of 200 rows is there at once");
}

# The ends of a REPEATABLE READ transaction stay.
$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
is($session->query('SELECT count(*) FROM own'), '200', 'REPEATABLE READ: a first SELECT');
$other->query_safe('INSERT INTO own (id) SELECT generate_series(1, 100)');
is($session->query('SELECT count(*) FROM own'), '200', 'a second one sees the same');
is($session->query('SELECT count(*) FROM own a JOIN own b USING (id) WHERE a.offs = b.offs AND a.part = b.part'), '200',
	'so do both sides of a join');
$session->query_safe('COMMIT');
is($session->query('SELECT count(*) FROM own'), '300', 'and the next transaction sees more');

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
