# Sends in the company of others: an extension that fails in PRE_COMMIT after ours (postgres_fdw,
# whose callback runs later when it was loaded earlier), a background worker that is no
# session (logical replication's apply worker), cursors WITH HOLD, a backend that serves
# several users in turn.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $broker = KafkaFdwTest::broker();
my $node = KafkaFdwTest::node($broker->bootstrap, conf => "wal_level = logical\nmax_wal_senders = 5\nmax_replication_slots = 5\n");
my $control = KafkaFdwTest::session($node);
KafkaFdwTest::topic($control, 'company');
KafkaFdwTest::topic($control, 'company_after', options => "delivery 'after_commit'");
my $count = sub { return $control->query("SELECT count(*) FROM $_[0] WHERE id = $_[1]") };

# --- postgres_fdw: the remote side refuses at its COMMIT, after Kafka's commit

my ($host, $port) = ($node->host, $node->port);
$control->query_safe(<<"SQL");
	CREATE EXTENSION postgres_fdw;
	CREATE TABLE remote_table (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
	CREATE SERVER remote FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
	CREATE USER MAPPING FOR CURRENT_USER SERVER remote;
	CREATE FOREIGN TABLE remote_rows (id int) SERVER remote OPTIONS (table_name 'remote_table');
SQL
for my $first (qw(postgres_fdw kafka_fdw))
{
	my $id = $first eq 'postgres_fdw' ? 1 : 2;
	my $session = KafkaFdwTest::session($node);
	$session->query_safe($first eq 'postgres_fdw' ? 'LOAD \'postgres_fdw\'' : 'SELECT count(*) FROM kafka.clients');
	$session->query_safe("BEGIN; INSERT INTO remote_rows VALUES ($id), ($id);
		INSERT INTO company (id) VALUES ($id); INSERT INTO company_after (id) VALUES ($id)");
	$session->query('COMMIT');
	is($session->state, '23505', "$first first: the remote side fails");
	if ($first eq 'postgres_fdw')
	{
		like($session->error, qr/messages sent through server "kafka" are committed in Kafka already/,
			'postgres_fdw fails last: the error says what is visible');
		# the broker may show it some milliseconds later
		KafkaFdwTest::wait_until(sub { $count->('company', $id) eq '1' }, 5, 'before_commit: and it is');
		pass('before_commit: and it is');
	}
	else
	{
		unlike($session->error, qr/visible/, 'postgres_fdw fails before anything is sent');
		is($count->('company', $id), '0', 'before_commit: nothing is visible');
	}
	$session->query_safe("INSERT INTO company_after (id) VALUES (10 + $id)");
	KafkaFdwTest::wait_until(sub { $count->('company_after', 10 + $id) eq '1' }, 15, 'the session goes on');
	is($count->('company_after', $id), '0', 'after_commit: nothing is visible');
	$session->quit;
}

# --- a cursor WITH HOLD is filled while the transaction commits, and what that sends belongs to it; NO SCROLL,
# because PostgreSQL runs another one from its beginning again

my $session = KafkaFdwTest::session($node);
$session->query_safe(q{BEGIN; DECLARE c NO SCROLL CURSOR WITH HOLD FOR
	SELECT kafka.produce('company', format('{"id": %s}', i)) FROM generate_series(21, 25) i; FETCH 2 FROM c});
is($session->query("SELECT count(*) FROM company WHERE id BETWEEN 21 AND 25"), '0', 'WITH HOLD: nothing before COMMIT');
$session->query_safe('COMMIT');
is($session->query("SELECT count(*) FROM company WHERE id BETWEEN 21 AND 25"), '5', 'WITH HOLD: all of it with COMMIT');
$session->query_safe('FETCH ALL FROM c');
is($session->query("SELECT count(*) FROM company WHERE id BETWEEN 21 AND 25"), '5', 'WITH HOLD: nothing twice');
$session->query_safe(q{BEGIN; DECLARE d NO SCROLL CURSOR WITH HOLD FOR
	SELECT kafka.produce('company', format('{"id": %s}', i)) FROM generate_series(31, 35) i; FETCH ALL FROM d; ROLLBACK});
is($session->query("SELECT count(*) FROM company WHERE id BETWEEN 31 AND 35"), '0', 'WITH HOLD: nothing after ROLLBACK');

# --- one backend, several users: each with its own transactional ids, and nothing is left after DISCARD ALL

$control->query_safe("CREATE ROLE app_$_; GRANT USAGE ON FOREIGN SERVER kafka TO app_$_") for qw(a b);
for my $round (1 .. 3)
{
	$session->query_safe("SET ROLE app_$_; SELECT kafka.produce('company', '{\"id\": 40}')") for qw(a b);
}
is($session->query("SELECT count(*), count(DISTINCT username) FROM kafka.clients WHERE transactional_id IS NOT NULL AND username LIKE 'app%'") =~ /\|2$/,
	1, 'each user has clients of its own');
is($count->('company', 40), '6', 'and all messages are there');
$session->query_safe('DISCARD ALL');
is($session->query('SELECT count(*) FROM kafka.clients'), '0', 'DISCARD ALL: no client is left');
is($session->query('SELECT current_user'), $session->query('SELECT session_user'), 'and no role');
my @threads = glob '/proc/' . $session->pid . '/task/*';
is(scalar @threads, 1, 'and no thread');

# --- a trigger in logical replication's apply worker

$control->query_safe('CREATE DATABASE subscriber');
$control->query_safe("CREATE TABLE replicated (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE replicated;
	SELECT pg_create_logical_replication_slot('company', 'pgoutput')");
my $subscriber = KafkaFdwTest::session($node, dbname => 'subscriber');
my $bootstrap = $broker->bootstrap;
$subscriber->query_safe(<<"SQL");
	CREATE EXTENSION kafka_fdw;
	CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '$bootstrap');
	CREATE TABLE replicated (id int PRIMARY KEY);
	CREATE FUNCTION send() RETURNS trigger LANGUAGE plpgsql AS
		\$\$ BEGIN PERFORM kafka.produce('company', format('{"id": %s}', NEW.id)); RETURN NULL; END \$\$;
	CREATE TRIGGER send AFTER INSERT ON replicated FOR EACH ROW EXECUTE FUNCTION send();
	ALTER TABLE replicated ENABLE ALWAYS TRIGGER send;
SQL
$subscriber->query_safe("CREATE SUBSCRIPTION company CONNECTION 'host=$host port=$port dbname=postgres'
	PUBLICATION p WITH (create_slot = false, copy_data = false, slot_name = 'company')");
$control->query_safe('INSERT INTO replicated SELECT generate_series(1001, 1100)');
$control->query_safe("BEGIN; INSERT INTO replicated VALUES (1101); ROLLBACK");
$control->query_safe("INSERT INTO replicated VALUES ($_)") for 1102 .. 1110;
KafkaFdwTest::wait_until(
	sub { $control->query('SELECT count(*), count(DISTINCT id) FROM company WHERE id > 1000') eq '109|109' },
	30, 'the apply worker sends what was committed');
pass('the apply worker sends what was committed, each once');
$subscriber->query_safe('ALTER SUBSCRIPTION company DISABLE; ALTER SUBSCRIPTION company SET (slot_name = NONE); DROP SUBSCRIPTION company');
is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->stop;
done_testing();
