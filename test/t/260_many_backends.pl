# 1,000 backends that start, send one message each and leave, 8 at a time: every message is
# there once, the transactional ids they used are few, for they belong to backend slots, and
# no process is left over. One more session commits beside them; its threads and descriptors stay.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;
use KafkaFdwFaults;

my $CLIENTS = 8;
my $BACKENDS = 1000;

my $broker = KafkaFdwTest::broker();
my $node = KafkaFdwFaults::node($broker, conf => "autovacuum = off\n");
my $control = KafkaFdwTest::session($node);
my @modes = @KafkaFdwFaults::MODES;
my $backends = $BACKENDS / @modes;
$control->query_safe('CREATE SEQUENCE many_ids');

# How many processes the server has.
sub processes
{
	my ($postmaster) = PostgreSQL::Test::Utils::slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	my @processes = `ps -o pid= --ppid $postmaster`;
	return scalar @processes;
}

my $processes = processes();
for my $mode (@modes)
{
	my $ledger = "many_$mode";
	KafkaFdwFaults::ledger($control, $ledger, partitions => 1, delivery => $mode);
	$control->query_safe("INSERT INTO $ledger (id) VALUES (1000)");
	$control->query_safe("INSERT INTO ${ledger}_rows VALUES (1000)");
	my @before = map { $_->($control->pid) } \&KafkaFdwTest::threads_of, \&KafkaFdwTest::descriptors_of;
	# -C: each transaction in a new connection
	$node->pgbench("-n -C -c $CLIENTS -j 2 -t " . int($backends / $CLIENTS + 1), 0, [qr{processed: (\d+)/\1}], [qr{^$}],
		"$mode: $backends backends", { "260_$mode" => <<"SQL" });
			SELECT 1000 * (10 + nextval('many_ids')) AS id \\gset
			BEGIN;
			INSERT INTO ${ledger}_rows VALUES (:id);
			INSERT INTO $ledger (id) VALUES (:id);
			COMMIT;
SQL
	# the last ones take a moment to leave
	ok(KafkaFdwTest::wait_until(sub { processes() <= $processes }, 20, 'backends leave'), "$mode: no process is left over");
	$control->query_safe("INSERT INTO ${ledger}_rows VALUES (2000); INSERT INTO $ledger (id) VALUES (2000)");
	my @after = map { $_->($control->pid) } \&KafkaFdwTest::threads_of, \&KafkaFdwTest::descriptors_of;
	cmp_ok($after[$_], '<=', $before[$_] + 3, "$mode: " . qw(threads descriptors)[$_] . " of a session that stays") for 0, 1;

	local $KafkaFdwFaults::EACH = 1;
	my $found = KafkaFdwFaults::holds($control, $broker->bootstrap, $ledger, $mode);
	cmp_ok($found->{messages}, '>=', $backends + 2, "$mode: all messages are there");
	# two a slot where a session has two producers; slots of those that are on their way out
	my @ids = KafkaFdwFaults::transactional_ids($broker);
	cmp_ok(scalar @ids, '<=', 2 * 2 * ($CLIENTS + 2), "$mode: few transactional ids, " . @ids);
	cmp_ok(scalar @ids, '>=', 2, "$mode: but one of each session that sent at a time");
	is_deeply([ grep { $_->[1] !~ /^(?:Empty|Complete)/ } @ids ], [], "$mode: none of them is in a transaction");
}
is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->stop;
done_testing();
