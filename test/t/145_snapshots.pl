# One end for one snapshot, while another session sends between and during statements; and
# the snapshot is let go afterwards, so that a transaction that is idle holds back no vacuum.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $node = KafkaFdwTest::node($ENV{KAFKA_BROKERS}, conf => "max_worker_processes = 16\n");
my $reader = KafkaFdwTest::session($node);
my $sender = KafkaFdwTest::session($node);
KafkaFdwTest::topic($sender, 'snapshots', partitions => 2, options => "delivery 'immediate', fdw_tuple_cost '1000'");
my $sent = 0;

sub send_one
{
	$sender->query_safe("INSERT INTO snapshots (id, part) VALUES ($sent, $sent % 2)");
	$sent++;
	return;
}
send_one() for 1 .. 4;

# --- another session sends in the middle of a statement

# The statement reads, waits for an advisory lock that the sender holds, and reads again.
sub in_the_middle
{
	my ($query, $expected, $what) = @_;
	$sender->query_safe('SELECT pg_advisory_lock(1)');
	$reader->send($query);
	KafkaFdwTest::wait_until(
		sub { $sender->query_safe("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") },
		30, 'the statement waits');
	send_one();
	$sender->query_safe('SELECT pg_advisory_unlock_all()');
	my ($out, $error) = $reader->result(30);
	$expected =~ s/OLD/$sent - 1/ge;
	$expected =~ s/NEW/$sent/g;
	is($error . $out, $expected, $what);
	return;
}

$reader->query_safe($_) for (
	'CREATE FUNCTION pause() RETURNS int LANGUAGE plpgsql VOLATILE PARALLEL RESTRICTED AS
	 $$ BEGIN PERFORM pg_advisory_lock_shared(1); PERFORM pg_advisory_unlock_shared(1); RETURN 0; END $$',
	"CREATE FUNCTION stable_sql() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM snapshots'",
	"CREATE FUNCTION stable_plpgsql() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM snapshots); END'",
	"CREATE FUNCTION volatile_sql() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT count(*) FROM snapshots'",
	"CREATE FUNCTION volatile_plpgsql() RETURNS bigint LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN (SELECT count(*) FROM snapshots); END'");
my $first = 'WITH first AS MATERIALIZED (SELECT count(*) AS c FROM snapshots), waited AS MATERIALIZED (SELECT c, pause() AS p FROM first)';
in_the_middle("$first SELECT c, (SELECT count(*) FROM snapshots WHERE id >= p) FROM waited", 'OLD|OLD', 'CTE and subquery');
in_the_middle("$first SELECT c, s.n FROM waited, LATERAL (SELECT count(*) AS n FROM snapshots WHERE offs >= p OFFSET 0) s",
	'OLD|OLD', 'LATERAL');
in_the_middle("$first SELECT c, count(*) FROM waited, snapshots a JOIN snapshots b USING (id) WHERE a.id >= p GROUP BY c",
	'OLD|OLD', 'self-join');
for my $function ('stable_sql', 'stable_plpgsql')
{
	in_the_middle("$first SELECT c, CASE WHEN p = 0 THEN $function() END FROM waited", 'OLD|OLD', "$function: the statement's end");
}
for my $function ('volatile_sql', 'volatile_plpgsql')
{
	in_the_middle("$first SELECT c, CASE WHEN p = 0 THEN $function() END FROM waited", 'OLD|NEW', "$function: an end of its own");
}
$reader->query_safe($_) for map { "SET $_" } 'parallel_setup_cost = 0', 'parallel_tuple_cost = 0', 'min_parallel_table_scan_size = 0';
in_the_middle("$first SELECT c, (SELECT count(*) FROM snapshots WHERE id IS NOT NULL) FROM waited WHERE p = 0", 'OLD|OLD', 'with parallel plans');
is($reader->query_safe(<<'SQL'), '', 'a loop that polls');
	DO $$
	DECLARE
	  was bigint;
	  sees bigint;
	BEGIN
	  FOR i IN 1 .. 10 LOOP
	    SELECT count(*) INTO was FROM snapshots;
	    -- in a subtransaction
	    BEGIN
	      PERFORM kafka.produce('snapshots', '{"id": 0}', partition => i % 2, delivery => 'immediate');
	    EXCEPTION WHEN division_by_zero THEN NULL;
	    END;
	    SELECT count(*) INTO sees FROM snapshots;
	    IF sees <> was + 1 THEN RAISE EXCEPTION 'round %: % after %', i, sees, was; END IF;
	  END LOOP;
	END $$
SQL
$sent += 10;

# --- between statements

my $count = 'SELECT count(*) FROM snapshots';
for my $level ('REPEATABLE READ', 'SERIALIZABLE')
{
	my $old = $sent;
	$reader->query_safe("BEGIN ISOLATION LEVEL $level");
	is($reader->query_safe($count), $old, "$level: the first statement");
	send_one();
	is($reader->query_safe($count), $old, 'the second keeps the end');
	$reader->query_safe('SAVEPOINT s');
	send_one();
	is($reader->query_safe($count), $old, 'within a savepoint');
	$reader->query_safe('ROLLBACK TO s');
	is($reader->query_safe($count), $old, 'after ROLLBACK TO');
	is($reader->query_safe('SELECT volatile_plpgsql()'), $old, 'in a volatile function');
	$reader->query_safe('COMMIT');
	is($reader->query_safe($count), $sent, 'the next transaction sees all');
}
for my $round (1 .. 10)
{
	$reader->query_safe("BEGIN; SAVEPOINT s");
	my $before = $reader->query_safe($count);
	$reader->query_safe('ROLLBACK TO s');
	send_one();
	is($reader->query_safe($count), $before + 1, 'READ COMMITTED: ROLLBACK TO leaves nothing behind') if $round % 5 == 0;
	$reader->query_safe('COMMIT');
}
my $old = $sent;
$reader->query_safe('BEGIN; DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT id FROM snapshots; FETCH 1 FROM c');
send_one();
is($reader->query_safe($count), $sent, 'a statement beside a cursor');
is(scalar(split /\n/, $reader->query_safe('FETCH ALL FROM c')), $old - 1, 'the cursor keeps its end');
is(scalar(split /\n/, $reader->query_safe('FETCH BACKWARD ALL FROM c')), $old, 'backwards');
$reader->query_safe('COMMIT');
is(scalar(split /\n/, $reader->query_safe('FETCH ALL FROM c')), $old, 'and after COMMIT');
$reader->query_safe('CLOSE c');

# --- leader and workers agree while another session keeps sending

my $parallel = 'SELECT count(*), count(DISTINCT (part, offs)), (SELECT sum(m) FROM (SELECT max(offs) + 1 AS m FROM snapshots GROUP BY part) s) FROM snapshots';
like($reader->query_safe("EXPLAIN $parallel"), qr/Parallel Foreign Scan/, 'a parallel plan');
$sender->send("DO \$\$ BEGIN FOR i IN 1 .. 2000 LOOP PERFORM kafka.produce('snapshots', '{\"id\": 1}', partition => i % 2, delivery => 'immediate'); END LOOP; END \$\$");
my ($agreed, $rounds, @odd) = (0, 0);
while (!$sender->ready && $rounds < 100)
{
	my @counts = split /\|/, $reader->query_safe($parallel);
	$rounds++;
	push @odd, "@counts" unless $counts[0] == $counts[1] && $counts[0] == $counts[2];
}
$sender->result(120);
cmp_ok($rounds, '>', 1, "$rounds rounds while messages came");
is("@odd", '', 'in each, all counts agree');
$sent += 2000;
is($reader->query_safe($count), $sent, 'all are there');

# --- nothing holds back vacuum

sub held
{
	return $sender->query_safe('SELECT backend_xmin IS NOT NULL FROM pg_stat_activity WHERE pid = ' . $reader->pid);
}
$reader->query_safe('CREATE TABLE snapshots_copy (id int)');
$reader->query_safe('SET max_parallel_workers_per_gather = 0');
for my $statement (
	$count, 'EXPLAIN (ANALYZE) SELECT FROM snapshots WHERE id < 0', "DO 'BEGIN PERFORM count(*) FROM snapshots; END'",
	'SELECT count(*) FROM snapshots a JOIN snapshots b USING (part, offs)', 'SELECT stable_sql(), stable_plpgsql()',
	'SELECT volatile_sql(), volatile_plpgsql()', "COPY (SELECT id FROM snapshots) TO '/dev/null'",
	'INSERT INTO snapshots_copy SELECT id FROM snapshots', 'CREATE TEMP TABLE kept AS SELECT id FROM snapshots',
	'DECLARE c CURSOR FOR SELECT id FROM snapshots; FETCH 1 FROM c; CLOSE c',
	'SAVEPOINT s; SELECT count(*) FROM snapshots; ROLLBACK TO s',
	"DO 'BEGIN PERFORM 1 / (id - id) FROM snapshots; EXCEPTION WHEN division_by_zero THEN NULL; END'")
{
	$reader->query_safe('BEGIN');
	$reader->query_safe($statement);
	is(held(), 'f', "let go: $statement");
	$reader->query_safe('ROLLBACK');
}
$reader->query_safe('BEGIN; DECLARE c CURSOR FOR SELECT id FROM snapshots; FETCH 1 FROM c');
is(held(), 't', 'an open cursor holds its snapshot');
$reader->query_safe('ROLLBACK');

$sender->query_safe("SELECT deleted FROM kafka.delete_topic('snapshots')");
is(KafkaFdwTest::crashes($node), '', 'no crash');
$_->quit for $reader, $sender;
$node->stop;
done_testing();
