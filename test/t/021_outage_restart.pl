# peer_S1: a broker that is killed, restarted or paused under sessions that hold live
# handles harms neither them nor the server. A broker that dies between INSERT and COMMIT
# takes the transaction's rows with it.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $broker = KafkaFdwTest::broker();
my $node = KafkaFdwTest::node($broker->bootstrap,
	conf => "kafka_fdw.connect_timeout = 2s\nkafka_fdw.commit_timeout = 2s\n");
my @sessions = map { KafkaFdwTest::session($node, name => $_) } qw(reader writer both);
my ($reader, $writer, $both) = @sessions;
KafkaFdwTest::topic($both, 'live', partitions => 2);
KafkaFdwTest::topic($both, 'live_immediate', partitions => 2, options => "delivery 'immediate'");
$both->query_safe('CREATE TABLE orders (id int)');
my %pid = map { $_ => $_->query('SELECT pg_backend_pid()') } @sessions;
my $started = $both->query('SELECT pg_postmaster_start_time()');

# All kinds of use, so that all kinds of handles are there.
my $sent = 0;
sub use_all
{
	my ($when) = @_;
	$sent++;
	$writer->query_safe("BEGIN; INSERT INTO orders VALUES ($sent); INSERT INTO live (id) VALUES ($sent); COMMIT", 30);
	$both->query_safe("INSERT INTO live_immediate (id) VALUES ($sent)", 30);
	is($both->query_safe('SELECT count(DISTINCT id) FROM live_immediate', 30), $sent, "$when: reads what it wrote at once");
	is($reader->query_safe('SELECT count(*), count(DISTINCT id) FROM live', 30), "$sent|$sent", "$when: another session reads it");
	return;
}

sub all_live
{
	my ($when) = @_;
	is($_->query('SELECT pg_backend_pid()'), $pid{$_}, "$when: the session lives") for @sessions;
	is($both->query('SELECT pg_postmaster_start_time()'), $started, "$when: so does the server");
	is(KafkaFdwTest::crashes($node), '', "$when: nothing crashed");
	return;
}

use_all('at first');
$broker->kill;
all_live('killed');
$broker->start;
use_all('started again');
$broker->restart;
use_all('restarted');
$broker->pause;
all_live('paused');
$broker->resume;
use_all('resumed');

# --- killed between INSERT and COMMIT

for my $how (qw(kill pause))
{
	$writer->query_safe('BEGIN; INSERT INTO orders VALUES (1000); INSERT INTO live (id) VALUES (1000)');
	$broker->$how;
	$writer->query('COMMIT', 30);
	# paused: nobody refuses the connection, so the limit of the wait is what is reached
	like($writer->state, $how eq 'kill' ? qr/^HV00N$/ : qr/^HV00[NL]$/, "$how before COMMIT: COMMIT fails") or diag $writer->error;
	is($writer->query('SELECT count(*) FROM orders WHERE id = 1000'), '0', "$how before COMMIT: the row is rolled back");
	$how eq 'kill' ? $broker->start : $broker->resume;
	$sent++;
	$writer->query_safe("BEGIN; INSERT INTO orders VALUES ($sent); INSERT INTO live (id) VALUES ($sent); COMMIT", 30);
	is($writer->query("SELECT count(*) FROM orders WHERE id = $sent"), '1', "$how before COMMIT: the session commits again");
	is($writer->query("SELECT count(*) FROM live WHERE id = $sent"), '1', 'with its message');
}
is($both->query_safe('SELECT count(*) FROM live WHERE id = 1000', 30), '0', 'what was rolled back is not in the topic');

# The outage begins in a subtransaction's send: the rest can still be rolled back to.
$writer->query_safe('BEGIN; INSERT INTO orders VALUES (2000); SAVEPOINT s');
$broker->kill;
$writer->query("SELECT count(*) FROM live", 30);
is($writer->state, 'HV00N', 'a SELECT without a broker');
$writer->query_safe('ROLLBACK TO s; COMMIT');
is($writer->query('SELECT count(*) FROM orders WHERE id = 2000'), '1', 'is undone by ROLLBACK TO');
$broker->start;

# Sessions that end while their broker is down.
$broker->kill;
$reader->quit;
@sessions = ($writer, $both);
all_live('a session ended while the broker was down');

$node->stop;
is(KafkaFdwTest::crashes($node), '', 'nothing crashed when the server stopped');
done_testing();
