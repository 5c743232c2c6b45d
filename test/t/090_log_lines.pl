# What librdkafka says goes to the server's log as logfmt, never to the client; a log tool can
# parse each line. kafka_fdw.log_broker_messages decides how much of it.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $broker = KafkaFdwTest::broker();
my $node = KafkaFdwTest::node($broker->bootstrap, conf => "kafka_fdw.connect_timeout = 500ms\n");
my $session = KafkaFdwTest::session($node);
# A name with all that has to be escaped.
my $name = 'a "quoted" \\ one';
(my $quoted = $name) =~ s/"/""/g;
$session->query_safe(qq{CREATE SERVER "$quoted" FOREIGN DATA WRAPPER kafka_fdw OPTIONS (bootstrap_servers '127.0.0.1:1')});
$session->query_safe(qq{CREATE FOREIGN TABLE odd (id int) SERVER "$quoted" OPTIONS (topic 'odd', format 'json')});
KafkaFdwTest::topic($session, 'logged');

# logfmt, strictly: pairs of a bare word and a bare or quoted value, one blank between two.
my $value = qr/"(?:[^"\\[:cntrl:]]|\\["\\])*"|[^\s"=\\]+/;
my $pair = qr/[a-z_]+=$value/;

my $position = 0;
# The pairs of each new line of the log that is ours.
sub new_lines
{
	my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
	my @lines = grep { /event=broker_message/ } split /\n/, substr $log, $position;
	$position = length $log;
	my @parsed;
	for my $line (@lines)
	{
		my ($text) = $line =~ /LOG:  (.*)/ or fail "not a LOG line: $line";
		unless ($text =~ /^$pair(?: $pair)*$/)
		{
			fail "not logfmt: $text";
			next;
		}
		my %row;
		while ($text =~ /([a-z_]+)=($value)/g)
		{
			my ($key, $found) = ($1, $2);
			$found =~ s/^"(.*)"$/$1/ and $found =~ s/\\(["\\])/$1/g;
			$row{$key} = $found;
		}
		push @parsed, \%row;
	}
	return @parsed;
}

# The client sees an error, and nothing of the log.
sub fails
{
	my ($on, $table, $what) = @_;
	$on->query("SELECT * FROM $table", 30);
	is($on->state, 'HV00N', "$what: the statement fails");
	unlike($on->error, qr/event=|^LOG/m, "$what: the client is not shown the log");
	return;
}

$broker->kill;
for my $setting (qw(error info debug emergency))
{
	my $limit = { emergency => 0, error => 3, info => 6, debug => 7 }->{$setting};
	my $logging = KafkaFdwTest::session($node);
	$logging->query_safe("SET kafka_fdw.log_broker_messages = '$setting'");
	new_lines();
	fails($logging, 'logged', $setting);
	fails($logging, 'odd', "$setting, odd name");
	$logging->quit;
	my @rows = new_lines();
	if ($setting eq 'emergency')
	{
		is(scalar @rows, 0, 'emergency: the log has nothing of it');
		next;
	}
	cmp_ok(scalar @rows, '>=', 2, "$setting: the log has lines, " . @rows);
	is_deeply([ grep { join(' ', sort keys %$_) ne 'event facility level message server' } @rows ], [], "$setting: each with all its fields");
	is_deeply([ grep { $_->{level} !~ /^[0-7]$/ || $_->{level} > $limit } @rows ], [], "$setting: none above level $limit");
	is_deeply([ sort keys %{ { map { $_->{server} => 1 } @rows } } ], [ sort 'kafka', $name ], "$setting: of both servers, by name");
	isnt(scalar(grep { $_->{message} =~ /127\.0\.0\.1/ } @rows), 0, "$setting: they name the broker");
}

# Not for everybody to set.
$session->query_safe('CREATE ROLE plain LOGIN');
$session->query_safe('SET ROLE plain');
$session->query("SET kafka_fdw.log_broker_messages = 'debug'");
is($session->state, '42501', 'a plain role cannot raise the level');
$session->query_safe('RESET ROLE');

# What is the user's to read is in the error; the statement of a line is not logged with it.
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/event=broker_message[^\n]*\n[^\n]*STATEMENT:/,
	'no line of the broker queue carries a statement');
is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->stop;
done_testing();
