# Passwords, keys and token texts are in no error, no log line of ours at the most talkative
# settings of server and library, no view, no EXPLAIN; other users see no options of a user mapping.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;
use KafkaFdwSecured;

my $broker = KafkaFdwTest::broker(secured => 1);
# the server would log statements itself, with what they hold: this is about our own lines
my $node = KafkaFdwTest::node($broker->bootstrap, conf => <<'CONF');
kafka_fdw.server = 'kafka'
kafka_fdw.log_broker_messages = 'debug'
log_min_messages = debug5
log_statement = none
log_min_error_statement = panic
CONF
my $session = KafkaFdwTest::session($node);
KafkaFdwTest::topic($session, 'secrets');
KafkaFdwSecured::allow($broker, 'alice', 'topic secrets*' => 'read write create delete', 'transactional_id kafka_fdw.*' => 'write');
# a statement that fails is logged without its text; those of the session that sets up are not ours
my %mapping = (
	plain => { sasl_username => 'alice', sasl_password => 'alice-secret' },
	bad_plain => { sasl_username => 'alice', sasl_password => 'marked-password' },
	scram => { sasl_username => 'alice', sasl_password => 'alice-secret' },
	bad_scram => { sasl_username => 'alice', sasl_password => 'marked-password' },
	ssl => { KafkaFdwSecured::certificate($broker, 'alice') },
	bad_ssl => { ssl_key_pem => "-----BEGIN PRIVATE KEY-----\nmarkedkey\n-----END PRIVATE KEY-----\n", ssl_certificate_pem => $broker->tls('alice.pem') },
	bad_key => { ssl_key_pem => $broker->tls('alice.key'), ssl_certificate_pem => 'markedcertificate', ssl_key_password => 'marked-password' },
	oauth => { sasl_oauthbearer_config => 'principal=alice extension_mark=markedtoken' },
	bad_oauth => { sasl_oauthbearer_config => 'marked-config=alice' });
my %listener = (plain => 'SASL_SSL', scram => 'SASL_PLAINTEXT', ssl => 'SSL', key => 'SSL', oauth => 'OAUTHBEARER');
my %mechanism = (plain => 'PLAIN', scram => 'SCRAM-SHA-256', oauth => 'OAUTHBEARER');
# lines in the middle of keys: their first ones are alike
my @keys = map { (split /\n/)[1] } $broker->tls('alice.key');
my $secret = join '|', qw(alice-secret marked-password markedkey markedcertificate marked-config markedtoken), map { quotemeta } @keys;
cmp_ok(length $keys[0], '>', 40, 'a line of the key is looked for');

my $seen = '';
for my $name (sort keys %mapping)
{
	my $kind = $name =~ s/^bad_//r;
	KafkaFdwSecured::server(
		$session, $broker, $name,
		listener => $listener{$kind},
		mechanism => $mechanism{$kind},
		options => { debug => 'all', $kind eq 'oauth' ? (enable_sasl_oauthbearer_unsecure_jwt => 'true') : () },
		mapping => $mapping{$name});
	KafkaFdwSecured::tables($session, $name, 'secrets');
	$session->query_safe("SELECT kafka.delete_topic('secrets_new', if_exists => true)");
	for my $statement (
		KafkaFdwSecured::statements($name, 'secrets'), "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM ${name}_immediate",
		"SELECT * FROM kafka.check('$name')", "SELECT * FROM kafka.clients", "SELECT * FROM kafka.client_stats",
		"SELECT * FROM kafka.transactions", "ANALYZE ${name}_immediate",
		"ALTER SERVER $name OPTIONS (ADD sasl_password 'marked-password')",
		"ALTER USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (ADD linger_ms 'marked-password')")
	{
		my $out = $session->query($statement, 60);
		is($session->state, '00000', "$name: $statement") or diag $session->error if $name !~ /^bad_/ && $statement !~ /^ALTER/;
		isnt($session->state, '00000', "$name: $statement") if $name =~ /^bad_/ && $statement =~ /^INSERT/;
		$seen .= "$statement\n$out\n" . $session->error . "\n" unless $statement =~ /marked/;
		unlike($session->error, qr/$secret/, "$name: no secret in an error of $statement") if $statement =~ /marked/;
	}
}
unlike($seen, qr/$secret/, 'no secret in results and errors') or diag map { "$_\n" } grep { /$secret/ } split /\n/, $seen;
my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
like($log, qr/event=broker_message .*facility=SASL/, 'the library has said much of log-ins');
my @lines = grep { /$secret/ } split /\n/, $log;
is(scalar @lines, 0, 'no secret in the log') or diag map { "$_\n" } @lines[ 0 .. ($#lines < 9 ? $#lines : 9) ];

# --- other users

$session->query_safe('CREATE ROLE reader LOGIN; GRANT USAGE ON FOREIGN SERVER plain TO reader; GRANT SELECT ON plain_immediate TO reader');
my $reader = KafkaFdwTest::session($node, user => 'reader');
is($reader->query('SELECT count(*) FROM pg_user_mappings WHERE umoptions IS NOT NULL'), 0, 'options of mappings of others are hidden');
is($reader->query('SELECT count(*) FROM information_schema.user_mapping_options WHERE option_value IS NOT NULL'), 0, 'also in the standard view');
$reader->query('SELECT count(*) FROM pg_user_mapping');
is($reader->state, '42501', 'the catalogue is not readable');
$reader->query('SELECT count(*) FROM plain_immediate');
is($reader->state, '22023', 'nor are they used for others');
unlike($reader->error, qr/$secret/, 'and not told of');
is(KafkaFdwTest::crashes($node), '', 'no crash');
done_testing;
