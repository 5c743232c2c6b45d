# ACLs on a cluster with an authorizer: made, listed, deleted; what they allow and deny; filters;
# what principals without rights get to see of ACLs and groups: an error, never an empty list.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;
use KafkaFdwSecured;

my $broker = KafkaFdwTest::broker(secured => 1);
my $node = KafkaFdwTest::node($broker->bootstrap);
my $session = KafkaFdwTest::session($node);
$session->query_safe("SET kafka_fdw.server = 'kafka'");
for my $user (qw(alice bob))
{
	KafkaFdwSecured::server($session, $broker, $user, mapping => { KafkaFdwSecured::password($user) });
}
KafkaFdwTest::topic($session, "acl_$_", options => "delivery 'immediate'") for qw(one two);
$session->query_safe("INSERT INTO acl_one (id) VALUES (1); INSERT INTO acl_two (id) VALUES (1)");

sub acls
{
	my ($arguments) = @_;
	return $session->query_safe("SELECT principal, operation, resource_type, resource_name, pattern_type, permission, host
		FROM kafka.list_acls($arguments)", 30);
}

# The SQLSTATE of a statement, after it has had time to become that: authorizers learn of an
# ACL some milliseconds after the broker has said that it is made.
sub becomes
{
	my ($sql, $state, $what) = @_;
	eval { KafkaFdwTest::wait_until(sub { $session->query($sql, 30); return $session->state eq $state; }, 30, $what); 1; };
	is($session->state, $state, $what) or diag $session->error;
	return;
}

sub create { return $session->query("SELECT * FROM kafka.create_acl($_[0])", 30); }

my $read = "SELECT count(*) FROM kafka.watermarks('acl_one', server => 'alice')";
my $send = "SELECT kafka.produce('acl_one', 'x', delivery => 'immediate', server => 'alice')";

# --- none yet: who may look sees that there is nothing, who may not gets an error

is(acls(''), '', 'a super user sees that there are none');
becomes("SELECT * FROM kafka.list_acls(server => 'alice')", '42501', 'who may not look is told so');
like($session->error, qr/the Kafka cluster denies this operation/, 'in these words');
becomes("SELECT * FROM kafka.create_acl('User:alice', 'all', 'topic', '*', server => 'alice')", '42501', 'nor make any');
becomes("SELECT * FROM kafka.delete_acl('User:alice', server => 'alice')", '42501', 'nor delete any');

# --- effect: denied before, allowed after, no longer allowed when it is gone

becomes($read, '42501', 'alice may not look at the topic');
is(create("'User:alice', 'describe', 'topic', 'acl_one'"), 'User:alice|describe|topic|acl_one|literal|allow|*', 'an ACL is made');
becomes($read, '00000', 'now she may');
becomes($send, '42501', 'and not write to it');
is(create("'User:alice', 'WRITE', 'Topic', 'acl_', pattern_type => 'prefixed', host => '127.0.0.1'"),
	'User:alice|write|topic|acl_|prefixed|allow|127.0.0.1', 'an ACL by prefix, from a host');
becomes($send, '00000', 'now she may');
is(create("'User:alice', 'write', 'topic', 'acl_one', permission => 'deny'"), 'User:alice|write|topic|acl_one|literal|deny|*', 'a denial');
becomes($send, '42501', 'is stronger');
create("'User:bob', 'all', 'group', '*'");
is(create("'User:bob', 'describe', 'cluster', NULL"), 'User:bob|describe|cluster|kafka-cluster|literal|allow|*', 'the cluster has one name only');

# --- listing

my @all = split /\n/, <<'ROWS';
User:alice|describe|topic|acl_one|literal|allow|*
User:alice|write|topic|acl_one|literal|deny|*
User:alice|write|topic|acl_|prefixed|allow|127.0.0.1
User:bob|all|group|*|literal|allow|*
User:bob|describe|cluster|kafka-cluster|literal|allow|*
ROWS
sub sorted { return join "\n", sort split /\n/, $_[0]; }
sub expect
{
	my ($arguments, $pattern) = @_;
	is(sorted(acls($arguments)), join("\n", sort grep { /$pattern/ } @all), "list_acls($arguments)");
	return;
}
KafkaFdwTest::wait_until(sub { my @rows = split /\n/, acls(''); return @rows == @all; }, 30, 'all are known');
expect('', qr/./);
expect("'User:alice'", qr/alice/);
expect("operation => 'write'", qr/write/);
expect("operation => 'any', permission => 'Deny'", qr/deny/);
expect("resource_type => 'group'", qr/group/);
expect("resource_type => 'topic', resource_name => 'acl_one'", qr/acl_one\|literal/);
expect("resource_type => 'topic', resource_name => 'acl_one', pattern_type => 'match'", qr/topic/);
expect("resource_name => 'acl_one', pattern_type => 'prefixed'", qr/no such/);
expect("pattern_type => 'prefixed'", qr/prefixed/);
expect("host => '127.0.0.1'", qr/127/);
expect("'User:carol'", qr/no such/);
# bob may look and sees that nothing matches; alice may not
is($session->query_safe("SELECT count(*) FROM kafka.list_acls(server => 'bob')"), scalar @all, 'who may describe the cluster sees them');
is($session->query_safe("SELECT count(*) FROM kafka.list_acls('User:carol', server => 'bob')"), '0', 'and may be shown nothing');
becomes("SELECT * FROM kafka.list_acls('User:carol', server => 'alice')", '42501', 'who may not gets an error there, too');
becomes("SELECT * FROM kafka.delete_acl('User:alice', server => 'bob')", '42501', 'describing is not deleting');

# --- transactional ids: from librdkafka 2.6 on

create("'User:alice', 'write', 'transactional_id', 'kafka_fdw.', 'prefixed'");
if ($session->state eq '0A000')
{
	like($session->error, qr/need librdkafka 2\.6/, 'ACLs of transactional ids need a newer librdkafka');
	# one that another tool has made is shown all the same
	KafkaFdwSecured::allow($broker, 'alice', 'transactional_id other*' => 'write');
	like(acls("resource_name => 'other'"), qr/^User:alice\|write\|unknown\|other\|prefixed\|allow\|\*$/, 'its type is not known');
	KafkaFdwSecured::revoke($broker, 'alice', 'transactional_id other*' => 'write');
}
else
{
	KafkaFdwTest::wait_until(sub { return acls("resource_type => 'transactional_id'") =~ /kafka_fdw\./; }, 30, 'it is listed');
	is($session->query_safe("SELECT count(*) FROM kafka.delete_acl(resource_type => 'transactional_id')"), '1', 'and deleted');
}

# --- groups: what is denied is told

$session->query_safe("SELECT kafka.alter_group_offsets('acl_group', 'acl_one', target => 'earliest')");
becomes("SELECT * FROM kafka.describe_group('acl_group', server => 'alice')", '42501', 'a group that alice may not see');
like($session->error, qr/the Kafka cluster denies access to consumer group "acl_group"/, 'is named');
for my $call ("group_offsets('acl_group', server => 'alice')", "consumer_lag('acl_group', server => 'alice')",
	"delete_group('acl_group', server => 'alice')")
{
	becomes("SELECT * FROM kafka.$call", '42501', $call);
	like($session->error, qr/denies access to consumer group "acl_group"/, "$call: the group is named");
}
is($session->query_safe("SELECT error ~ 'uthoriz' FROM kafka.delete_group(ARRAY['acl_group'], server => 'alice')"), 't',
	'one of a list: in its row');
is($session->query_safe("SELECT count(*) FROM kafka.list_groups(server => 'alice')"), '0', 'brokers list only what may be seen');
is($session->query_safe("SELECT group_id FROM kafka.list_groups(server => 'bob')"), 'acl_group', 'to bob, all');
is($session->query_safe("SELECT count(*) FROM kafka.consumer_lag('acl_group', server => 'bob')"), '0',
	'of its offsets, too, brokers tell only those in topics that may be seen');
is($session->query_safe("SELECT error ~ 'uthoriz' FROM kafka.alter_group_offsets('acl_group',
	ARRAY[('acl_one', 0, 1, NULL)]::kafka.topic_partition[], server => 'bob')"), 't', 'nor can its offset be altered');

# --- deleting

is(sorted($session->query_safe("SELECT principal, operation, resource_name, error FROM kafka.delete_acl('User:alice', 'write')")),
	"User:alice|write|acl_one|\nUser:alice|write|acl_|", 'those that match are deleted and returned');
KafkaFdwTest::wait_until(sub { return acls("'User:alice', 'write'") eq ''; }, 30, 'they are gone');
becomes($send, '42501', 'alice may no longer write');
becomes($read, '00000', 'what did not match is there');
is($session->query_safe("SELECT count(*) FROM kafka.delete_acl('User:carol')"), '0', 'nothing matches');
$session->query("SELECT * FROM kafka.delete_acl()");
is($session->state, '22023', 'all of them, by accident: refused');
is($session->query_safe("SELECT count(*) FROM kafka.delete_acl(delete_all => true)"), '3', 'all of them, as asked');
becomes($read, '42501', 'its effect is gone');
KafkaFdwTest::wait_until(sub { return acls('') eq ''; }, 30, 'none is left');
pass('none is left');
becomes("SELECT * FROM kafka.list_acls(server => 'bob')", '42501', 'bob may no longer look');

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
