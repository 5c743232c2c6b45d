# Logging in by OAUTHBEARER with unsecured tokens: right and wrong ones, none, and one that is
# renewed, at which librdkafka's own way ends the process before version 2.3.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;
use KafkaFdwSecured;

my $broker = KafkaFdwTest::broker(secured => 1);
my $node = KafkaFdwTest::node($broker->bootstrap, conf => "kafka_fdw.server = 'kafka'");
my $session = KafkaFdwTest::session($node);
KafkaFdwTest::topic($session, 'oauth');
KafkaFdwSecured::allow($broker, 'alice', 'topic oauth*' => 'read write create delete', 'transactional_id kafka_fdw.*' => 'write');

# The server token with another text for its tokens.
sub token { my ($config) = @_; return KafkaFdwSecured::mapping($session, 'token', sasl_oauthbearer_config => $config); }

KafkaFdwSecured::server(
	$session, $broker, 'token',
	listener => 'OAUTHBEARER',
	mechanism => 'OAUTHBEARER',
	options => { enable_sasl_oauthbearer_unsecure_jwt => 'true' },
	mapping => { sasl_oauthbearer_config => 'principal=alice' });
KafkaFdwSecured::tables($session, 'token', 'oauth');
KafkaFdwSecured::works($session, 'token', 'oauth', 'principal only');
token('principal=alice principalClaimName=sub scope=a,bc,def scopeClaimName=scope lifeSeconds=100 extension_trace=xyz');
KafkaFdwSecured::works($session, 'token', 'oauth', 'everything');
# each length of the claims, as base64 sees it
for my $scope (qw(a ab abc abcd))
{
	token("principal=alice scope=$scope");
	is($session->query("SELECT count(*) > 0 FROM kafka.list_topics(server => 'token')"), 't', "scope $scope") or diag $session->error;
}

token('principal=stranger');
KafkaFdwSecured::failing($session, 'INSERT INTO token_before_commit VALUES (1)', '42501', qr/denies access to topic "oauth"/, 'another principal');
token('principal=alice principalClaimName=wrong-one');
KafkaFdwSecured::refused($session, 'token', 'oauth', '28000', qr/authentication.*failed\n.*invalid_token/, 'no subject');
for my $config ('wrong-one=alice', 'principal', 'lifeSeconds=100', 'principal=alice lifeSeconds=wrong-one', 'principal=al"wrong-one',
	'principal=alice extension_auth=wrong-one', 'principal=' . 'wrong-one' x 300)
{
	token($config);
	KafkaFdwSecured::failing($session, 'SELECT count(*) FROM token_immediate', '28000', qr/OAUTHBEARER token: sasl\.oauthbearer\.config: /, substr $config, 0, 40);
}

# The broker may end a connection whose token is renewed late, in the midst of a request that is not
# made again: once, and what the request was to do may have been done.
my $ended = 0;

sub again
{
	my ($statement) = @_;
	$session->query($statement, 60);
	return if $session->state eq '00000';
	is($session->state, 'HV00N', "$statement: the connection was ended") or diag $session->error;
	$ended++;
	$session->query($statement, 60);
	my $done = $statement =~ /create_topic/ ? '42P07' : $statement =~ /delete_topic/ ? 'HV00R' : '00000';
	like($session->state, qr/^(?:00000|$done)$/, "$statement: the next one works") or diag $session->error;
	return;
}

# --- renewal: a token of 6 s is renewed after 4.8 s, or up to a second later

token('principal=alice lifeSeconds=6');
my $begun = time;
KafkaFdwTest::wait_until(
	sub {
		again($_) for KafkaFdwSecured::statements('token', 'oauth'), "SELECT kafka.delete_topic('oauth_new', server => 'token')";
		return time - $begun > 9;
	},
	30, 'statements');
cmp_ok($ended, '<=', 2, 'statements go on while tokens are renewed');
KafkaFdwSecured::works($session, 'token', 'oauth', 'renewed');

# --- where tokens come from

$session->query_safe('ALTER SERVER token OPTIONS (DROP enable_sasl_oauthbearer_unsecure_jwt)');
KafkaFdwSecured::refused($session, 'token', 'oauth', 'HV002', qr/OAUTHBEARER needs a source of tokens\nHINT: .*oidc/, 'no source');

SKIP:
{
	$session->query("ALTER SERVER token OPTIONS (ADD sasl_oauthbearer_method 'oidc', ADD sasl_oauthbearer_token_endpoint_url 'http://127.0.0.1:1/token')");
	skip 'librdkafka is built without OIDC', 2 unless $session->state eq '00000';
	KafkaFdwSecured::mapping($session, 'token', sasl_oauthbearer_client_id => 'alice', sasl_oauthbearer_client_secret => 'wrong-one');
	$session->query('SELECT count(*) FROM token_immediate', 60);
	like($session->state, qr/28000|HV00N/, 'OIDC without its server') or diag $session->error;
	unlike($session->error, qr/wrong-one/, 'OIDC: no secret in it');
}
is(KafkaFdwTest::crashes($node), '', 'no crash');
done_testing;
