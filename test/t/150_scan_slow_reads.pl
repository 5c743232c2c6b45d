# A broker with a round trip of 200 ms: reads of a few messages, of the tail and by several
# processes give exactly the right rows.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;

my $ROWS = 3000;
my $mock = KafkaFdwTest::mock_broker(topic => 'slow:3', fill => $ROWS, rtt => 200);
my $node = KafkaFdwTest::node($mock->bootstrap);
my $session = KafkaFdwTest::session($node);
$session->query_safe("CREATE FOREIGN TABLE slow (id int, part int OPTIONS (meta 'partition'),
	offs bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'slow', format 'json')");

# the filling is round robin: message i is in partition i % 3 at offset i / 3
my $last = $ROWS / 3 - 1;
my %reads = (
	'a point' => [ 'SELECT id, part, offs FROM slow WHERE part = 1 AND offs = 500', '1501|1|500' ],
	'the last one' => [ "SELECT id FROM slow WHERE part = 2 AND offs = $last", $ROWS - 1 ],
	'one behind it' => [ "SELECT id FROM slow WHERE part = 2 AND offs > $last", '' ],
	'points' => [ 'SELECT part, offs FROM slow WHERE offs IN (7, 700) ORDER BY 1, 2', join "\n", map { ("$_|7", "$_|700") } 0 .. 2 ],
	'the tail' => [ 'SELECT offs FROM slow ORDER BY offs DESC LIMIT 5', join "\n", ($last) x 3, ($last - 1) x 2 ],
	'the tail of a partition' => [ 'SELECT id FROM slow WHERE part = 0 ORDER BY offs DESC LIMIT 5',
		join "\n", map { 3 * ($last - $_) } 0 .. 4 ],
	'a join' => [ 'SELECT p, offs, id FROM (VALUES (0, 3), (2, 999), (1, 500), (1, 2000)) AS v (p, o)
		JOIN slow ON part = p AND offs = o ORDER BY 1, 2', "0|3|9\n1|500|1501\n2|999|2999" ]);
for my $what (sort keys %reads)
{
	my ($statement, $expected) = @{ $reads{$what} };
	my $begun = time;
	is($session->query($statement), $expected, $what) or diag $session->error;
	is($session->error, '', "$what: without an error");
	note sprintf '%s: %.1f s', $what, time - $begun;
	cmp_ok(time - $begun, '>=', 0.15, "$what: the broker was slow");
}

my $figures = 'SELECT count(*), count(DISTINCT (part, offs)), sum(id) FROM slow';
my $expected = "$ROWS|$ROWS|" . $ROWS * ($ROWS - 1) / 2;
is($session->query($figures), $expected, 'all of it');
$session->query_safe('SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0');
like($session->query("EXPLAIN (COSTS OFF) $figures"), qr/Parallel Foreign Scan on slow/, 'a parallel plan');
for my $leader (qw(on off))
{
	$session->query_safe("SET parallel_leader_participation = $leader");
	is($session->query($figures), $expected, "all of it by several processes, leader $leader") or diag $session->error;
}

is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->stop;
done_testing();
