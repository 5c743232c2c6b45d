# What the cluster's ACLs deny: each operation fails with 42501 within a few seconds and names
# the topic, the group or the transactional id, not the principal. Inside a transaction nothing
# of it is committed, neither in Kafka nor in PostgreSQL, and the session goes on.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;
use KafkaFdwSecured;

my @MODES = @KafkaFdwSecured::MODES;
my $broker = KafkaFdwTest::broker(secured => 1);
my $node = KafkaFdwTest::node($broker->bootstrap, conf => "kafka_fdw.server = 'kafka'");
my $session = KafkaFdwTest::session($node);

# alice may do with a topic what its name says; bob may read and write one, but without a
# transactional id; carol only knows of one.
my %rights = (hidden => '', seen => 'describe', readable => 'read', writable => 'write', open => 'read write');
for my $topic (sort keys %rights)
{
	$session->query_safe("SELECT kafka.create_topic('denied_$topic')");
	$session->query_safe("SELECT kafka.produce('denied_$topic', '{\"id\": 0}', delivery => 'immediate')");
	KafkaFdwSecured::allow($broker, 'alice', "topic denied_$topic" => $rights{$topic}) if $rights{$topic};
}
KafkaFdwSecured::allow($broker, 'alice', 'transactional_id kafka_fdw.*' => 'write', 'transactional_id mine' => 'write');
KafkaFdwSecured::allow($broker, 'bob', 'topic denied_open' => 'read write');
KafkaFdwSecured::allow($broker, 'carol', 'topic denied_open' => 'describe');
KafkaFdwSecured::server($session, $broker, 'rich', mapping => { KafkaFdwSecured::password('alice') });
KafkaFdwSecured::server($session, $broker, 'bare', mapping => { KafkaFdwSecured::password('bob') });
KafkaFdwSecured::server(
	$session, $broker, 'faint',
	listener => 'OAUTHBEARER',
	mechanism => 'OAUTHBEARER',
	options => { enable_sasl_oauthbearer_unsecure_jwt => 'true' },
	mapping => { sasl_oauthbearer_config => 'principal=carol' });
for my $topic (sort keys %rights)
{
	$session->query_safe("CREATE FOREIGN TABLE $topic (id int) SERVER rich OPTIONS (topic 'denied_$topic', format 'json')");
}
$session->query_safe("CREATE FOREIGN TABLE bare_open (id int) SERVER bare OPTIONS (topic 'denied_open', format 'json')");
$session->query_safe('CREATE TABLE orders (id int)');

# The statement, or a COMMIT after it, is denied.
sub denied
{
	my ($statement, $text, $what) = @_;
	my $begun = time;
	$session->query($statement, 60);
	my $seconds = time - $begun;
	is($session->state, '42501', "$what: $statement") or diag $session->error;
	like($session->error, $text, "$what: what is denied is named");
	unlike($session->error, qr/alice|bob|carol/, "$what: the principal is not");
	cmp_ok($seconds, '<', 5, sprintf '%s: after %.2f s', $what, $seconds);
	return;
}

sub topic_denied
{
	my ($topic, $statement) = @_;
	return denied($statement, qr/^ERROR:  (?:the Kafka cluster denies access to|could not delete) topic "denied_$topic"/m, $topic);
}

# --- topics

topic_denied($_, "SELECT count(*) FROM $_") for qw(hidden seen writable);
is($session->query('SELECT count(*) FROM readable'), 1, 'the readable topic is read');
my $listed = $session->query("SELECT string_agg(topic, ' ' ORDER BY topic) FROM kafka.list_topics(server => 'rich')");
is($listed, 'denied_open denied_readable denied_seen denied_writable', 'topics that may be seen are listed');
for my $mode (@MODES)
{
	$session->query_safe("SET kafka_fdw.delivery = '$mode'");
	for my $topic (qw(hidden seen readable))
	{
		topic_denied($topic, $_)
			for "INSERT INTO $topic VALUES (1)", "COPY $topic FROM PROGRAM 'echo 1'",
			"SELECT kafka.produce('denied_$topic', '{}', server => 'rich')";
	}
	$session->query("INSERT INTO $_ VALUES (1)"), is($session->state, '00000', "$mode: $_") or diag $session->error for qw(writable open);
}
topic_denied('hidden', $_)
	for "SELECT * FROM kafka.watermarks('denied_hidden', server => 'rich')",
	"SELECT * FROM kafka.produce_batch('denied_hidden', ARRAY['x'], server => 'rich')",
	"SELECT * FROM kafka.infer_columns('denied_hidden', server => 'rich')";
topic_denied('writable', "SELECT * FROM kafka.infer_columns('denied_writable', server => 'rich')");
topic_denied('writable', 'BEGIN; DECLARE c CURSOR FOR SELECT * FROM writable; FETCH c');
$session->query('ROLLBACK');
like(
	$session->query("SELECT error FROM kafka.produce_batch('denied_readable', ARRAY['x', 'y'], delivery => 'immediate', server => 'rich')"),
	qr/^(?:Broker: Topic authorization failed\n?){2}$/, 'a batch says it of each record');
topic_denied('new', "SELECT kafka.create_topic('denied_new', server => 'rich')");
topic_denied($_, "SELECT kafka.delete_topic('denied_$_', server => 'rich')") for qw(hidden open);
is($session->query("SELECT deleted, error FROM kafka.delete_topic(ARRAY['denied_open', 'denied_seen'], server => 'rich') ORDER BY topic"),
	"f|Broker: Topic authorization failed\nf|Broker: Topic authorization failed", 'a list says it of each topic');
like($session->query("SELECT detail FROM kafka.check('rich') WHERE step = 'create_topic' AND NOT ok"), qr/denies access to topic .*42501/, 'kafka.check');

# --- transactional ids

for my $mode (qw(before_commit after_commit))
{
	$session->query_safe("SET kafka_fdw.delivery = '$mode'");
	denied('INSERT INTO bare_open VALUES (1)', qr/denies the transactional id "kafka_fdw\.\S+"/, $mode);
	denied('BEGIN; INSERT INTO orders VALUES (1); INSERT INTO bare_open VALUES (1); COMMIT', qr/denies the transactional id "kafka_fdw\./, "$mode, in a transaction");
	is($session->query('SELECT count(*) FROM orders'), 0, "$mode: PostgreSQL has committed nothing");
}
denied("SELECT kafka.begin_transaction('mine', server => 'bare')", qr/denies the transactional id "mine"/, 'by hand');
$session->query_safe("SET kafka_fdw.delivery = 'immediate'");
$session->query_safe('INSERT INTO bare_open VALUES (1)');
pass('without a transactional id immediate works');
denied("SELECT kafka.produce('denied_open', '{}', server => 'faint')", qr/denies this operation\n.*"denied_open".*\nHINT: .*Write on the topic/, 'idempotent write');

# --- inside a transaction: what was allowed in it is not committed either

for my $mode (qw(before_commit after_commit))
{
	for my $order ('open readable', 'readable open')
	{
		my $what = "$mode, $order";
		$session->query_safe("SET kafka_fdw.delivery = '$mode'");
		my $before = $session->query_safe('SELECT count(*) FROM open');
		$session->query_safe('BEGIN; INSERT INTO orders VALUES (1)');
		$session->query_safe("INSERT INTO $_ SELECT generate_series(1, 100)") for split / /, $order;
		topic_denied('readable', 'COMMIT');
		is($session->query('SELECT count(*) FROM orders'), 0, "$what: PostgreSQL has committed nothing");
		is($session->query('SELECT count(*) FROM open'), $before, "$what: nothing of it is visible");
		$session->query('INSERT INTO open VALUES (2)');
		is($session->state, '00000', "$what: the session goes on") or diag $session->error;
		is($session->query('SELECT count(*) FROM open'), $before + 1, "$what: and reads it");
	}
}

# --- transactions by hand: denied at the start, and withdrawn in the middle

my $hand = "'mine', server => 'rich'";
my $send = "transactional_id => 'mine', server => 'rich'";
my $offsets = "ARRAY[('denied_open', 0, 1, NULL)::kafka.topic_partition]";
$session->query_safe("SELECT kafka.begin_transaction($hand)");
denied("SELECT kafka.send_offsets_to_transaction('denied_group', $offsets, $hand)", qr/denies access to consumer group "denied_group"/, 'group');
$session->query_safe("SELECT kafka.abort_transaction($hand)");
$session->query_safe("SELECT kafka.begin_transaction($hand)");
$session->query_safe("SELECT kafka.send_transactional('denied_readable', 'x', $send)");
topic_denied('readable', "SELECT kafka.commit_transaction($hand)");
$session->query("SELECT kafka.abort_transaction($hand)");
is($session->state, '00000', 'denied at the start: it can be aborted') or diag $session->error;
my $count = $session->query_safe("SELECT high FROM kafka.watermarks('denied_open')");
$session->query_safe("SELECT kafka.begin_transaction($hand)");
$session->query_safe("SELECT kafka.send_transactional('denied_open', 'x', $send)");
KafkaFdwTest::wait_until(sub { $session->query_safe("SELECT high FROM kafka.watermarks('denied_open')") > $count }, 20, 'the first message is there');
KafkaFdwSecured::revoke($broker, 'alice', 'topic denied_open' => 'write');
$session->query_safe("SELECT kafka.send_transactional('denied_open', 'x', $send)");
topic_denied('open', "SELECT kafka.commit_transaction($hand)");
$session->query("SELECT kafka.abort_transaction($hand)");
is($session->state, '00000', 'withdrawn in the middle: it can be aborted') or diag $session->error;
KafkaFdwSecured::allow($broker, 'alice', 'topic denied_open' => 'write', 'group denied_group' => 'read');
$session->query_safe("SELECT kafka.begin_transaction($hand)");
$session->query_safe("SELECT kafka.send_transactional('denied_open', '{}', $send)");
$session->query_safe("SELECT kafka.send_offsets_to_transaction('denied_group', $offsets, $hand)");
$session->query("SELECT kafka.commit_transaction($hand)");
is($session->state, '00000', 'with the rights it is committed') or diag $session->error;

# --- consumers

$session->query_safe("SELECT kafka.subscribe('denied_open', 'denied_other', start => 'earliest', server => 'rich')");
denied("SELECT count(*) FROM kafka.poll(timeout => '20 s')", qr/denies access to consumer group "denied_other"/, 'group of a consumer');
$session->query_safe('SELECT kafka.close_consumer()');
KafkaFdwSecured::allow($broker, 'alice', 'group denied_other' => 'read');
$session->query_safe("SELECT kafka.subscribe('denied_writable', 'denied_other', start => 'earliest', server => 'rich')");
topic_denied('writable', "SELECT count(*) FROM kafka.poll(timeout => '20 s')");
$session->query_safe('SELECT kafka.close_consumer()');

# The group's first coordinator took a while to be found above; librdkafka 2.0.2 ends the process
# where a request for it has passed its limit meanwhile, when a connection changes its state.
my $begun = time;
KafkaFdwTest::wait_until(
	sub {
		$session->query_safe("SELECT kafka.watermarks('denied_open', server => 'rich')");
		return time - $begun > 2;
	},
	20, 'statements');
is(KafkaFdwTest::crashes($node), '', 'no crash');
done_testing;
