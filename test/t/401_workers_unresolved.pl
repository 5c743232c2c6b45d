# A relay that must not go on by itself ends, and the launcher leaves it so until somebody has
# decided: here in the copy of a database, which is not the owner of the outbox in Kafka.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;
use PostgreSQL::Test::Utils;

my $node = KafkaFdwTest::node($ENV{KAFKA_BROKERS}, preload => 1, conf => "kafka_fdw.relay_naptime = '100ms'\n");
my $psql = KafkaFdwTest::session($node);
$psql->query_safe("SELECT kafka.create_topic('workers_unresolved', 1)");
$psql->query_safe('CREATE DATABASE shop');
my $shop = KafkaFdwTest::session($node, dbname => 'shop');
$shop->query_safe("CREATE EXTENSION kafka_fdw; CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw
	OPTIONS (bootstrap_servers '$ENV{KAFKA_BROKERS}')");
$shop->query_safe("SELECT kafka.produce('workers_unresolved', 'a', delivery => 'outbox')");
$shop->query_safe("SELECT kafka.wait_for_relay('30 s')", 60);
pass('the first message makes the outbox, which has a relay at once');
$shop->quit;

sub state_of
{
	my ($database) = @_;
	return $psql->query_safe("SELECT state FROM kafka.workers WHERE type = 'relay' AND database = '$database'");
}

sub restarts_of
{
	my ($database) = @_;
	return $psql->query_safe("SELECT restarts FROM kafka.workers WHERE type = 'relay' AND database = '$database'");
}

$psql->query_safe('CREATE DATABASE copy TEMPLATE shop', 60);
KafkaFdwTest::wait_until(sub { state_of('copy') eq 'unresolved' }, 30, 'the relay of the copy does not go on');
KafkaFdwTest::wait_until(sub { state_of('shop') eq 'running' }, 30, 'that of the original does');
is($psql->query_safe("SELECT last_exit FROM kafka.workers WHERE type = 'relay' AND database = 'copy'"), 'unresolved', 'the view says why');

# Whatever makes the launcher look, it does not start it.
my $copy = KafkaFdwTest::session($node, dbname => 'copy');
my $restarts = restarts_of('copy');
$copy->query_safe("INSERT INTO kafka.outbox_definition (name, server) VALUES ('other', 'gone')");
$copy->query_safe("SELECT kafka.start_relay('other')");
KafkaFdwTest::wait_until(
	sub { $psql->query_safe("SELECT count(*) FROM kafka.workers WHERE outbox = 'other' AND database = 'copy'") }, 30, 'it has looked');
is(restarts_of_first('copy'), $restarts, 'and has started nothing but the other one');
$copy->query_safe("SELECT kafka.stop_relay('other')");
KafkaFdwTest::wait_until(
	sub { !$psql->query_safe("SELECT count(*) FROM kafka.workers WHERE outbox = 'other' AND database = 'copy'") }, 30, 'stopped again');

$copy->query_safe("SELECT kafka.start_relay('kafka')");
KafkaFdwTest::wait_until(sub { restarts_of('copy') > $restarts && state_of('copy') eq 'unresolved' }, 30, 'start_relay: it looks again');
$copy->query_safe("SELECT kafka.outbox_resolve('kafka', 'take_over')");
KafkaFdwTest::wait_until(sub { state_of('copy') eq 'running' }, 30, 'resolved, it runs');
$copy->query_safe("SELECT kafka.produce('workers_unresolved', 'b', delivery => 'outbox')");
$copy->query_safe("SELECT kafka.wait_for_relay('30 s')", 60);
pass('and publishes');
$copy->quit;
$psql->query_safe("SELECT deleted FROM kafka.delete_topic('workers_unresolved')");
is(KafkaFdwTest::crashes($node), '', 'no crash');
$psql->quit;
$node->stop;
done_testing();

sub restarts_of_first
{
	my ($database) = @_;
	return $psql->query_safe("SELECT restarts FROM kafka.workers WHERE outbox = 'kafka' AND database = '$database'");
}
