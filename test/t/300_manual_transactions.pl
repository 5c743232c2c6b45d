# Kafka transactions by hand when something goes wrong: another producer with the same id, a
# transaction that takes too long, a session that ends, a broker that stands still.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $LIMIT_MS = 500;

# Transactions that took too long are looked for every 200 ms.
my $broker = KafkaFdwTest::broker(set => { 'transaction.abort.timed.out.transaction.cleanup.interval.ms' => 200 });
my $node = KafkaFdwTest::node($broker->bootstrap);
my $control = KafkaFdwTest::session($node);
my $session = KafkaFdwTest::session($node);
my $other = KafkaFdwTest::session($node);
KafkaFdwTest::topic($control, 'manual');


sub send_message
{
	my ($on, $id) = @_;
	$on->query_safe("SELECT kafka.send_transactional('manual', '{\"id\": $id}'::json)");
	return;
}

# Without looking at the result.
sub try_query
{
	my ($on, $sql) = @_;
	$on->query($sql, 60);
	return $on->state;
}

sub state_of { return $_[0]->query_safe("SELECT kafka.transaction_state('$_[1]')"); }

# No open transaction holds readers back.
sub all_ended { return $control->query_safe("SELECT bool_and(high = last_stable) FROM kafka.watermarks('manual')") eq 't'; }

# All that was sent has been seen by the broker.
sub await_high
{
	my ($before) = @_;
	KafkaFdwTest::wait_until(
		sub { $control->query_safe("SELECT high FROM kafka.watermarks('manual')") > $before }, 30, 'the message arrives');
	return;
}
sub high { return $control->query_safe("SELECT high FROM kafka.watermarks('manual')"); }

sub readers_see
{
	my ($ids, $what) = @_;
	KafkaFdwTest::wait_until(\&all_ended, 5, "$what: readers are free");
	is($control->query_safe("SELECT string_agg(id::text, ' ' ORDER BY offs) FROM manual"), $ids, "$what: what readers see");
	return;
}

# --- another producer with the same id: the newer one goes on

$session->query_safe("SELECT kafka.begin_transaction('twin')");
send_message($session, 1);
$other->query_safe("SELECT kafka.begin_transaction('twin')");
send_message($other, 2);
my $state = try_query($session, 'SELECT kafka.commit_transaction()');
like($state, qr/^(?:08007|HV00L)$/, 'the older one cannot commit');
like($session->error, qr/fenced.*DETAIL:.*HINT:.*another producer has begun/s, 'and says why') or diag $session->error;
is(state_of($session, 'twin'), 'FENCED', 'its state');
is(try_query($session, "SELECT kafka.send_transactional('manual', 'x')"), '25000', 'it cannot send');
is(try_query($session, 'SELECT kafka.commit_transaction()'), '25000', 'nor commit');
is(try_query($session, 'SELECT kafka.abort_transaction()'), '25000', 'nor abort');
$other->query_safe('SELECT kafka.commit_transaction()');
readers_see('2', 'fenced by another session');

# The other way round, and found out while sending.
$other->query_safe("SELECT kafka.begin_transaction('twin')");
send_message($other, 3);
my $before = high();
$session->query_safe("SELECT kafka.begin_transaction('twin')");
send_message($session, 4);
KafkaFdwTest::wait_until(
	sub { try_query($other, "SELECT kafka.send_transactional('manual', '{\"id\": 5}'::json)") ne '00000' },
	30, 'the older one is told so when it sends');
like($other->error, qr/fenced/, 'by a clear text');
is(state_of($other, 'twin'), 'FENCED', 'its state');
$session->query_safe('SELECT kafka.commit_transaction()');
readers_see('2 4', 'fenced while sending');
$other->query_safe("SELECT kafka.begin_transaction('twin')");
send_message($other, 6);
$other->query_safe('SELECT kafka.commit_transaction()');
readers_see('2 4 6', 'begun anew');

# --- a transaction that takes too long

$session->query_safe("ALTER SERVER kafka OPTIONS (ADD transaction_timeout_ms '1000')");
$session->query_safe("SELECT kafka.begin_transaction('slow')");
$before = high();
send_message($session, 7);
await_high($before);
KafkaFdwTest::wait_until(\&all_ended, 30, 'the broker has aborted it');
$state = try_query($session, 'SELECT kafka.commit_transaction()');
like($state, qr/^(?:08007|HV00L)$/, 'a transaction that took too long cannot commit');
like($session->error, qr/HINT:.*transaction_timeout_ms/s, 'the HINT names the limit');
is(state_of($session, 'slow'), 'FENCED', 'its state is the same as that of a fenced one');
$session->query_safe("ALTER SERVER kafka OPTIONS (DROP transaction_timeout_ms)");
$session->query_safe("SELECT kafka.begin_transaction('slow')");
send_message($session, 8);
$session->query_safe('SELECT kafka.commit_transaction()');
readers_see('2 4 6 8', 'overrun');

# --- the session ends with an open transaction

for my $end (qw(terminate quit kill discard))
{
	my $short = KafkaFdwTest::session($node);
	$before = high();
	$short->query_safe("SELECT kafka.begin_transaction('left')");
	send_message($short, 9);
	await_high($before);
	ok(!all_ended(), "$end: an open transaction holds readers back");
	$control->query_safe('SELECT pg_terminate_backend(' . $short->pid . ')') if $end eq 'terminate';
	$short->quit if $end eq 'quit';
	$short->kill if $end eq 'kill';
	$short->query_safe('DISCARD ALL') if $end eq 'discard';
	readers_see('2 4 6 8', "$end with an open transaction");
}

# --- a broker that stands still

# In the flush: nothing has been committed.
$session->query_safe("SELECT kafka.begin_transaction('stands')");
$before = high();
send_message($session, 10);
await_high($before);
$broker->pause;
send_message($session, 11);
$session->send('SELECT kafka.commit_transaction()');
KafkaFdwTest::await_blocked($session);
cmp_ok(KafkaFdwTest::reaction($control, $session, 'cancel'), '<=', $LIMIT_MS, 'a flush is cancelled at once');
$session->result(30);
is($session->state, '57014', 'with the SQLSTATE of a cancel');
is(state_of($session, 'stands'), 'IN_TRANSACTION', 'the transaction is open as before');
$broker->resume;
$session->query_safe('SELECT kafka.commit_transaction()');
readers_see('2 4 6 8 10 11', 'cancelled while flushing');

# In Kafka's own commit: it goes on, and can be waited for again.
my $id = 12;
for my $again (qw(commit look))
{
	$session->query_safe("SELECT kafka.begin_transaction('stands')");
	$before = high();
	send_message($session, $id);
	await_high($before);
	$broker->pause;
	$session->send('SELECT kafka.commit_transaction()');
	KafkaFdwTest::await_blocked($session);
	cmp_ok(KafkaFdwTest::reaction($control, $session, 'cancel'), '<=', $LIMIT_MS, "$again: a commit is cancelled at once");
	$session->result(30);
	is($session->state, '57014', "$again: with the SQLSTATE of a cancel");
	like($session->error, qr/CONTEXT:.*committing the Kafka transaction "stands"; it may become visible/s, "$again: the CONTEXT says so");
	is(state_of($session, 'stands'), 'COMMITTING', "$again: its state");
	is(try_query($session, 'SELECT kafka.abort_transaction()'), '25000', "$again: it cannot be aborted any more");
	is(try_query($session, "SELECT kafka.begin_transaction('stands')"), '25000', "$again: nor begin");
	is(try_query($session, "SELECT kafka.send_transactional('manual', 'x')"), '25000', "$again: nor send");
	$broker->resume;
	if ($again eq 'commit')
	{
		$session->query_safe('SELECT kafka.commit_transaction()');
		is(state_of($session, 'stands'), 'COMMITTED', 'commit: waits for the same one');
	}
	else
	{
		KafkaFdwTest::wait_until(sub { state_of($session, 'stands') eq 'COMMITTED' }, 30, 'look: the state comes by itself');
	}
	$id++;
	readers_see(join(' ', 2, 4, 6, 8, 10 .. $id - 1), "$again: cancelled while committing");
}

# An abort.
$session->query_safe("SELECT kafka.begin_transaction('stands')");
$before = high();
send_message($session, 20);
await_high($before);
$broker->pause;
$session->send('SELECT kafka.abort_transaction()');
KafkaFdwTest::await_blocked($session);
cmp_ok(KafkaFdwTest::reaction($control, $session, 'cancel'), '<=', $LIMIT_MS, 'an abort is cancelled at once');
$session->result(30);
is(state_of($session, 'stands'), 'ABORTING', 'its state');
is(try_query($session, 'SELECT kafka.commit_transaction()'), '25000', 'it cannot commit');
$broker->resume;
$session->query_safe('SELECT kafka.abort_transaction()');
is(state_of($session, 'stands'), 'ABORTED', 'it has ended');
readers_see('2 4 6 8 10 11 12 13', 'cancelled while aborting');

# Offsets: whether they are there is not known, so it can only be aborted.
$session->query_safe("SELECT kafka.begin_transaction('stands')");
$session->query_safe("SELECT kafka.send_offsets_to_transaction('g', ARRAY[('manual', 0, 1, NULL)]::kafka.topic_partition[])");
$broker->pause;
$session->send("SELECT kafka.send_offsets_to_transaction('g', ARRAY[('manual', 0, 2, NULL)]::kafka.topic_partition[])");
KafkaFdwTest::await_blocked($session);
cmp_ok(KafkaFdwTest::reaction($control, $session, 'cancel'), '<=', $LIMIT_MS, 'offsets are cancelled at once');
$session->result(30);
$broker->resume;
$session->query_safe('SELECT kafka.abort_transaction()');
is(state_of($session, 'stands'), 'ABORTED', 'and the transaction is aborted');

# The time limit: the outcome is unknown, and the next begin settles it.
$session->query_safe("SET kafka_fdw.commit_timeout = '1s'");
$session->query_safe("SELECT kafka.begin_transaction('stands')");
$before = high();
send_message($session, 21);
await_high($before);
$broker->pause;
is(try_query($session, 'SELECT kafka.commit_transaction()'), '08007', 'a commit without an answer');
is($session->query("SELECT state, error FROM kafka.transactions WHERE transactional_id = 'stands'"),
	'COMMITTING|outcome of the Kafka transaction is unknown', 'its state');
is(try_query($session, 'SELECT kafka.commit_transaction()'), '25000', 'there is nothing to wait for');
is(try_query($session, 'SELECT kafka.abort_transaction()'), '25000', 'nor to abort');
$broker->resume;
$session->query_safe("SET kafka_fdw.commit_timeout = '30s'");
$session->query_safe("SELECT kafka.begin_transaction('stands')", 60);
send_message($session, 22);
$session->query_safe('SELECT kafka.commit_transaction()');
KafkaFdwTest::wait_until(\&all_ended, 5, 'readers are free');
like($control->query_safe("SELECT string_agg(id::text, ' ' ORDER BY offs) FROM manual"),
	qr/^2 4 6 8 10 11 12 13 (?:21 )?22$/, 'it was committed or not, the next one was');

# An abort without an answer, and without a broker; aborted when it is back.
$session->query_safe("SET kafka_fdw.commit_timeout = '1s'");
$session->query_safe("SELECT kafka.begin_transaction('stands')");
$before = high();
send_message($session, 30);
await_high($before);
$broker->pause;
is(try_query($session, 'SELECT kafka.abort_transaction()'), 'HV00L', 'an abort without an answer');
is(state_of($session, 'stands'), 'ABORTING', 'its state');
$broker->resume;
$session->query_safe("SET kafka_fdw.commit_timeout = '30s'");
$session->query_safe('SELECT kafka.abort_transaction()', 60);
is(state_of($session, 'stands'), 'ABORTED', 'a new client ends what was left open');
KafkaFdwTest::wait_until(\&all_ended, 5, 'readers are free');

# A begin that fails leaves no new id behind.
$broker->stop;
$session->query_safe("SET kafka_fdw.connect_timeout = '1s'");
is(try_query($session, "SELECT kafka.begin_transaction('new')"), 'HV00N', 'begin without a broker');
is(try_query($session, "SELECT kafka.begin_transaction('stands')"), 'HV00N', 'also of an id that was used');
is($session->query("SELECT string_agg(transactional_id || ' ' || state, ', ' ORDER BY transactional_id) FROM kafka.transactions"),
	'slow COMMITTED, stands READY, twin COMMITTED', 'what the session has');
$broker->start;
$session->query_safe("RESET kafka_fdw.connect_timeout; SELECT kafka.begin_transaction('new'); SELECT kafka.abort_transaction()", 60);

is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
