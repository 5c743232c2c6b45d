# delivery after_commit in the commit hook: what happens where PostgreSQL has committed and Kafka
# cannot be reached, is slow, or the wait is cancelled; and before_commit where something
# fails after Kafka's commit. A wait for a synchronous standby that does not exist holds a
# transaction between PRE_COMMIT, where the messages are sent, and the commit hook.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $broker = KafkaFdwTest::broker();
my $node = KafkaFdwTest::node($broker->bootstrap,
	conf => "wal_level = replica\nmax_wal_senders = 3\nkafka_fdw.after_commit_timeout = 2s\nkafka_fdw.commit_timeout = 3s\nkafka_fdw.connect_timeout = 2s\n");
my $control = KafkaFdwTest::session($node);
$control->query_safe('SET synchronous_commit = local');
KafkaFdwTest::topic($control, 'after', options => "delivery 'after_commit'");
KafkaFdwTest::topic($control, 'before');
$control->query_safe('CREATE TABLE orders (id int PRIMARY KEY)');
my $STATS = 'SELECT after_commit_failures, after_commit_messages, transactions_committed FROM kafka.client_stats';

sub reload
{
	my ($standbys) = @_;
	$control->query_safe("ALTER SYSTEM SET synchronous_standby_names = '$standbys'");
	$control->query_safe('SELECT pg_reload_conf()');
	KafkaFdwTest::wait_until(
		sub { KafkaFdwTest::session($node)->query_safe('SHOW synchronous_standby_names') eq $standbys },
		10, 'settings are read');
	return;
}

# A session whose transaction is committed on disk and has not run the commit hook yet.
sub enter_hook
{
	my ($id, $topic) = @_;
	my $session = KafkaFdwTest::session($node);
	$session->query_safe("INSERT INTO $topic (id) VALUES (0)");
	reload('nobody');
	$session->query_safe('SET synchronous_commit = on');
	$session->query_safe("BEGIN; INSERT INTO orders VALUES ($id); INSERT INTO $topic (id) VALUES ($id), ($id)");
	$session->send('COMMIT');
	KafkaFdwTest::wait_until(
		sub {
			$control->query('SELECT wait_event FROM pg_stat_activity WHERE pid = ' . $session->pid) eq 'SyncRep';
		},
		20, 'the transaction waits for a standby');
	return $session;
}

sub messages
{
	my ($topic, $id) = @_;
	return $control->query("SELECT count(*) FROM $topic WHERE id = $id");
}

# --- the broker is away when the hook runs, in four ways

my $session = enter_hook(1, 'after');
is(messages('after', 1), '0', 'sent and not committed: nothing is visible');
$broker->pause;
reload('');
my (undef, $error) = $session->result(20);
is($session->state, '00000', 'paused broker: COMMIT succeeds');
like($error, qr/^WARNING:  messages sent through server "kafka" may be lost/m, 'with a WARNING that says what is lost');
like($error, qr/2 messages; librdkafka says: no answer in time/, 'how many, and why');
is($session->query($STATS), '1|2|1', 'and it is counted');
$broker->resume;
is($session->query('SELECT count(*) FROM orders WHERE id = 1'), '1', 'the row is there');
$session->query_safe('INSERT INTO after (id) VALUES (10)');
is($session->error, '', 'the next transaction is as ever');
is(messages('after', 10), '1', 'and its message is there');

$session = enter_hook(2, 'after');
$broker->pause;
reload('');
KafkaFdwTest::wait_until(
	sub { $control->query('SELECT coalesce(wait_event, \'\') FROM pg_stat_activity WHERE pid = ' . $session->pid) ne 'SyncRep' },
	10, 'the hook runs');
my $ms = KafkaFdwTest::reaction($control, $session, 'cancel');
(undef, $error) = $session->result(20);
is($session->state, '00000', 'cancelled in the hook: COMMIT succeeds');
like($error, qr/librdkafka says: the wait was cancelled/, 'the WARNING says that it was cancelled');
cmp_ok($ms, '<=', 300, "cancelled within $ms ms");
$broker->resume;
is($session->query('SELECT 1'), '1', 'the cancel hits nothing else');

$session = enter_hook(3, 'after');
$broker->pause;
reload('');
KafkaFdwTest::wait_until(
	sub { $control->query('SELECT coalesce(wait_event, \'\') FROM pg_stat_activity WHERE pid = ' . $session->pid) ne 'SyncRep' },
	10, 'the hook runs');
KafkaFdwTest::reaction($control, $session, 'terminate');
(undef, $error) = $session->result(20);
like($error, qr/may be lost/, 'terminated in the hook: the WARNING comes, and COMMIT with it');
$session->query('SELECT 1');
is($session->state, undef, 'then the connection ends');
$broker->resume;
is($control->query('SELECT count(*) FROM orders WHERE id = 3'), '1', 'PostgreSQL had committed');

$session = enter_hook(4, 'after');
$broker->kill;
reload('');
(undef, $error) = $session->result(20);
is($session->state, '00000', 'broker killed: COMMIT succeeds');
like($error, qr/may be lost/, 'with the WARNING');
$broker->start;
KafkaFdwTest::wait_until(
	sub { $session->query('INSERT INTO after (id) VALUES (40)'); $session->state eq '00000' }, 30, 'the session sends again');

# --- a WARNING that the client's encoding cannot hold is not sent, and is no PANIC

my $bootstrap = $broker->bootstrap;
$control->query_safe(qq{CREATE SERVER "\x{d0}\x{ba}\x{d0}\x{b0}\x{d1}\x{84}" FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '$bootstrap');
	CREATE FOREIGN TABLE cyrillic (id int) SERVER "\x{d0}\x{ba}\x{d0}\x{b0}\x{d1}\x{84}" OPTIONS (topic 'after', format 'json', delivery 'after_commit')});
$session = KafkaFdwTest::session($node);
$session->query_safe("SET client_encoding = 'LATIN1'");
$session->query_safe('INSERT INTO cyrillic (id) VALUES (0)');
reload('nobody');
$session->query_safe('BEGIN; INSERT INTO orders VALUES (7); INSERT INTO cyrillic (id) VALUES (7)');
$session->send('COMMIT');
KafkaFdwTest::wait_until(
	sub { $control->query('SELECT wait_event FROM pg_stat_activity WHERE pid = ' . $session->pid) eq 'SyncRep' },
	20, 'the transaction waits for a standby');
$broker->pause;
reload('');
(undef, $error) = $session->result(20);
is($session->state, '00000', 'a WARNING that cannot be converted: COMMIT succeeds');
is($session->query('SELECT after_commit_failures FROM kafka.client_stats'), '1', 'it is counted');
$broker->resume;
is(KafkaFdwTest::crashes($node), '', 'and no PANIC');
KafkaFdwTest::wait_until(sub { messages('after', 7) eq '1' }, 10, 'the helper thread commits');
pass('the helper thread has gone on: the message is visible after all');
like(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/LOG:  messages sent through server "\x{d0}\x{ba}\x{d0}\x{b0}\x{d1}\x{84}" may be lost/,
	'the log of the server has it');

# --- all is well

$session = enter_hook(5, 'after');
reload('');
(undef, $error) = $session->result(20);
is($error, '', 'with the broker there: no WARNING');
KafkaFdwTest::wait_until(sub { messages('after', 5) eq '2' }, 10, 'both messages are visible');

# --- cancelled while it waits for the standby: PostgreSQL has committed, so must Kafka

$session = enter_hook(6, 'after');
$control->query_safe('SELECT pg_cancel_backend(' . $session->pid . ')');
(undef, $error) = $session->result(20);
like($error, qr/transaction has already committed locally/, 'a cancelled wait for the standby');
reload('');
KafkaFdwTest::wait_until(sub { messages('after', 6) eq '2' }, 10, 'its messages are visible all the same');

# --- before_commit: a serialization failure after Kafka's commit says what is visible

my ($one, $two) = map { KafkaFdwTest::session($node) } 1 .. 2;
for my $mode (qw(before after))
{
	$_->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM orders') for $one, $two;
	$one->query_safe("INSERT INTO orders VALUES (" . ($mode eq 'before' ? 100 : 101) . ')');
	$two->query_safe("INSERT INTO orders VALUES (" . ($mode eq 'before' ? 200 : 201) . "); INSERT INTO $mode (id) VALUES (77)");
	$one->query_safe('COMMIT');
	$two->query('COMMIT');
	is($two->state, '40001', "$mode: serialization failure");
	if ($two->error =~ /during commit attempt/)
	{
		like($two->error, qr/messages sent through server "kafka" are committed in Kafka already/, 'the error says what is visible')
			if $mode eq 'before';
		unlike($two->error, qr/visible/, 'nothing is visible, nothing is said') if $mode eq 'after';
	}
	else
	{
		fail("$mode: the failure did not come at the end of COMMIT: " . $two->error);
	}
}
KafkaFdwTest::wait_until(
	sub { $control->query("SELECT bool_and(high = last_stable) FROM kafka.watermarks('after', 'kafka')") eq 't' }, 15, 'the transaction is aborted');
is(messages('before', 77), '1', 'before_commit: visible although PostgreSQL rolled back');
is(messages('after', 77), '0', 'after_commit: never a message of a transaction that did not commit');
$two->query_safe('SELECT 1');
is($two->error, '', 'the context is gone with its transaction');
is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->stop;
done_testing();
