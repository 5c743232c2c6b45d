# Outboxes come through pg_dump: in the copy nothing is published until somebody has decided, also
# with workers; then what was pending in the dump is published once, or as the decision says.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use KafkaFdwTest;

my $node = KafkaFdwTest::node($ENV{KAFKA_BROKERS}, preload => 1,
	conf => "kafka_fdw.relay_naptime = '100ms'\nkafka_fdw.outbox_retention = '1h'\n");
my $dir = PostgreSQL::Test::Utils::tempdir();
my $psql = KafkaFdwTest::session($node);
$psql->query_safe("SELECT kafka.create_topic('outbox_dump', 1)");
$psql->query_safe("CREATE FOREIGN TABLE read (v text, o bigint OPTIONS (meta 'offset')) SERVER kafka OPTIONS (topic 'outbox_dump')");

sub produce
{
	my ($session, @values) = @_;
	$session->query_safe("SELECT kafka.produce('outbox_dump', '$_', delivery => 'outbox')") for @values;
	return;
}

# What a reader has seen so far.
sub messages
{
	return $psql->query_safe("SELECT string_agg(v, ' ' ORDER BY o) FROM read", 60) // '';
}

sub restore
{
	my ($database) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->command_ok([ 'pg_restore', '-e', '-d', $database, "$dir/dump" ], "pg_restore into $database");
	return KafkaFdwTest::session($node, dbname => $database);
}

sub await_state
{
	my ($session, $wanted, $what) = @_;
	my $is = '';
	eval {
		KafkaFdwTest::wait_until(sub { ($is = $session->query_safe('SELECT state FROM kafka.outbox_status')) eq $wanted }, 30, $what);
		1;
	} or diag $@;
	is($is, $wanted, $what);
	return;
}

# A decision in a restored database; all that it lets through is in Kafka afterwards, and one message more.
sub decide
{
	my ($session, $action, $next) = @_;
	$session->query_safe("SELECT kafka.outbox_resolve('kafka', '$action')");
	$session->query_safe("SELECT kafka.start_relay('kafka')");
	await_state($session, 'running', "$action: the relay runs");
	produce($session, $next);
	$session->query_safe("SELECT kafka.wait_for_relay('30 s')", 60);
	return;
}

produce($psql, 'a', 'b');
$psql->query_safe("SELECT kafka.wait_for_relay('30 s')", 60);
$psql->query_safe("SELECT kafka.stop_relay('kafka')");
KafkaFdwTest::wait_until(sub { !$psql->query_safe("SELECT count(*) FROM kafka.workers WHERE type = 'relay'") }, 30, 'the original is stopped');
produce($psql, 'c', 'd');
# an enabled one is what a scout would find in the copy
$psql->query_safe('UPDATE kafka.outbox_definition SET enabled = true');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump", 'postgres' ], 'pg_dump');
$psql->query_safe('UPDATE kafka.outbox_definition SET enabled = false');

# --- take_over -----------------------------------------------------------------------------

my $copy = restore('copy');
is($copy->query_safe('SELECT bool_or(enabled) FROM kafka.outbox_definition'), 'f', 'a restored outbox has no worker');
$copy->query_safe('SELECT kafka.start_relay()');
await_state($copy, 'unresolved', 'started, its relay asks');
is($copy->query_safe("SELECT count(*) FILTER (WHERE xid = '0'), count(*) FROM kafka.outbox"), '4|4', 'rows are marked');
is($copy->query_safe('SELECT backlog_rows FROM kafka.outbox_status'), '4', 'and nobody claims to know which are published');
is(messages(), 'a b', 'nothing is published');
decide($copy, 'take_over', 'e');
is(messages(), 'a b c d e', 'take_over: what was pending, once, then what is new');
$copy->query_safe("SELECT kafka.stop_relay()");

# --- from the same dump again: Kafka is ahead of it ----------------------------------------------

my $again = restore('again');
$again->query_safe("SELECT kafka.outbox_resolve('kafka', 'take_over'), kafka.start_relay('kafka')");
await_state($again, 'unresolved', 'take_over does not help where Kafka is ahead');
is(messages(), 'a b c d e', 'nothing is published');
decide($again, 'republish', 'f');
is(messages(), 'a b c d e c d f', 'republish: what the dump does not know to be published');
$again->query_safe("SELECT kafka.stop_relay()");

my $skipping = restore('skipping');
produce($skipping, 'before the decision');
decide($skipping, 'skip', 'g');
is(messages(), 'a b c d e c d f g', 'skip: only what was sent after it');

$_->quit for $copy, $again, $skipping;
$psql->query_safe("SELECT deleted FROM kafka.delete_topic('outbox_dump')");
$psql->quit;
is(KafkaFdwTest::crashes($node), '', 'no crash');
$node->stop;
done_testing();
