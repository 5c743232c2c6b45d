# The PostgreSQL side of the test stand: a node on which the extension and its server
# exist, and sessions that can be waited for, cancelled and killed in the middle of a
# statement. Every test of an outage rests on these.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $node = KafkaFdwTest::node($ENV{KAFKA_BROKERS}, conf => "log_connections = on\n");
is($node->safe_psql('postgres', "SELECT srvname FROM pg_foreign_server"), 'kafka', 'the server exists');

my $session = KafkaFdwTest::session($node, name => 'one');
is($session->query("SELECT 'a' UNION SELECT 'b' ORDER BY 1"), "a\nb", 'a result of two lines');
is($session->error, '', 'no error');
is($session->query('SELECT application_name FROM pg_stat_activity WHERE pid = ' . $session->pid),
	'one', 'the pid is the backend\'s');
$session->query('SELECT 1/0');
like($session->error, qr/^ERROR:  division by zero/, 'an error');
ok(!eval { $session->query_safe('SELECT 1/0'); 1 }, 'which is fatal if asked for');

$session->send('SELECT pg_sleep(600)');
ok(!$session->ready, 'a statement under way');
KafkaFdwTest::wait_until(
	sub { $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") },
	30, 'the statement sleeps');
$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . $session->pid . ')');
my ($out, $error) = $session->result(10);
like($error, qr/^ERROR:  canceling statement due to user request/, 'is cancelled');

$session->query_safe('BEGIN');
my $other = KafkaFdwTest::session($node);
isnt($other->pid, $session->pid, 'two sessions');
$other->send('SELECT pg_sleep(600)');
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $other->pid . ')');
($out, $error) = $other->result(10);
like($error, qr/terminating connection due to administrator command/, 'a terminated session has a result');
$session->quit;

my $gone = $node->safe_psql('postgres', 'SELECT pg_backend_pid()');
ok(KafkaFdwTest::wait_until(sub { KafkaFdwTest::descriptors_of($gone) == 0 }, 10, 'the backend ends'),
	'a backend that is gone has no descriptors');
$node->stop;
done_testing();
