# A relay that meets what should not be: a record that is no position, a standby that never comes,
# a row that Kafka does not take.
use strict;
use warnings;
use IPC::Run ();
use KafkaFdwTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $brokers = $ENV{KAFKA_BROKERS};
my $node = KafkaFdwTest::node($brokers, preload => 1, allows_streaming => 1);
my $psql = KafkaFdwTest::session($node);

sub state_is
{
	my ($state, $reason, $what) = @_;
	my $last = '';
	my $met = eval {
		KafkaFdwTest::wait_until(
			sub {
				$last = $psql->query_safe('SELECT state, reason FROM kafka.outbox_status');
				return $last =~ /^$state\|$reason/;
			},
			20, $what);
	};
	ok($met, $what) or diag("it is: $last");
	return;
}

sub messages { return $psql->query_safe(q{SELECT string_agg(v, ' ' ORDER BY o) FROM t402}); }

$psql->query_safe(q{SELECT kafka.create_topic('t402', 1)});
$psql->query_safe(q{CREATE FOREIGN TABLE t402 (v text, o bigint OPTIONS (meta 'offset'))
	SERVER kafka OPTIONS (topic 't402', delivery 'outbox')});
$psql->query_safe(q{INSERT INTO t402 VALUES ('1')});
$psql->query_safe(q{SELECT kafka.wait_for_relay('30s')}, 40);
is(messages(), '1', 'published');

# --- somebody writes into the topic of positions ------------------------------------------

my $topic = $psql->query_safe(q{SELECT 'kafka_fdw.outbox.' || uuid FROM kafka.outbox_definition});
for my $junk ('junk', '{"version":1,"tick":"x"}')
{
	$psql->query_safe('SELECT kafka.stop_relay()');
	state_is('stopped', '', 'the relay has stopped');
	IPC::Run::run([ 'kcat', '-P', '-b', $brokers, '-t', $topic, '-K', '|' ], '<', \"position|$junk\n")
		or die 'kcat failed';
	$psql->query_safe(q{INSERT INTO t402 VALUES ('2')});
	$psql->query_safe('SELECT kafka.start_relay()');
	state_is('unresolved', qr/the record at offset \d+ of topic "kafka_fdw\.outbox\..*" is no position/,
		"unresolved: $junk");
	$psql->query_safe(q{SELECT kafka.outbox_resolve('kafka', 'republish')});
	$psql->query_safe(q{SELECT kafka.wait_for_relay('30s')}, 40);
	state_is('running', '', 'running again');
}
is(messages(), '1 2 2', 'what was not published is, once each');

# --- a synchronous standby that there is not ----------------------------------------------

$psql->query_safe(q{ALTER SYSTEM SET synchronous_standby_names = 'nobody'});
$psql->query_safe(q{SELECT pg_reload_conf()});
KafkaFdwTest::wait_until(sub { $psql->query_safe('SHOW synchronous_standby_names') eq 'nobody' }, 20, 'the setting');
$psql->query_safe(q{SET synchronous_commit = local});
$psql->query_safe(q{INSERT INTO t402 VALUES ('3')});
KafkaFdwTest::wait_until(
	sub {
		# in COMMIT; or behind it, where PostgreSQL has not heard yet that there are standbys
		$psql->query_safe(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'kafka_fdw relay'
			AND (wait_event = 'SyncRep' OR query = 'waiting for a synchronous standby')})
	},
	20, 'the relay waits for the standby');
is(messages(), '1 2 2', 'nothing is published that a failover would lose');
$psql->query_safe(q{ALTER SYSTEM RESET synchronous_standby_names});
$psql->query_safe(q{SELECT pg_reload_conf()});
$psql->query_safe(q{SELECT kafka.wait_for_relay('30s')}, 40);
is(messages(), '1 2 2 3', 'with no such standby any more it is');

# --- a row that Kafka does not take: what is before it goes, what is behind it waits -----------

$psql->query_safe('SELECT kafka.stop_relay()');
state_is('stopped', '', 'the relay has stopped');
$psql->query_safe(q{SELECT kafka.create_topic('t402_order', 1)});
$psql->query_safe(q{CREATE FOREIGN TABLE t402_order (v text, o bigint OPTIONS (meta 'offset'), p int OPTIONS (meta 'partition'))
	SERVER kafka OPTIONS (topic 't402_order', delivery 'outbox')});
$psql->query_safe(q{INSERT INTO t402_order (v, p) SELECT i, CASE i WHEN 6 THEN 7 END FROM generate_series(1, 9) i});
$psql->query_safe('SELECT kafka.start_relay()');
my $poison = $psql->query_safe(q{SELECT id FROM kafka.outbox WHERE partition = 7});
state_is('waiting', qr/partition 7 of topic "t402_order" does not exist .*; row $poison$/, 'the row is named');
is($psql->query_safe(q{SELECT string_agg(v, ' ' ORDER BY o) FROM t402_order}), '1 2 3 4 5', 'what is before it is published');
is($psql->query_safe(qq{SELECT kafka.outbox_discard('kafka', $poison)}), 't', 'discarded');
$psql->query_safe(q{SELECT kafka.wait_for_relay('30s')}, 40);
is($psql->query_safe(q{SELECT string_agg(v, ' ' ORDER BY o) FROM t402_order}), '1 2 3 4 5 7 8 9', 'and what is behind it');
state_is('running', '', 'running again');
is(KafkaFdwTest::crashes($node), '', 'no crash');

done_testing();
