# Compression as the broker has it: the codec on each batch in a dump of the topics' files, what
# a level does to the batches' size, and the messages in the eyes of Java's own consumer. Set on
# an immediate table, and on the server for Kafka transactions.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;

my $ROWS = 400;
my @CODECS = qw(gzip lz4 snappy zstd);
my %LEVELS = (gzip => [ 1, 9 ], lz4 => [ 1, 12 ], zstd => [ 1, 12 ]);

my $broker = KafkaFdwTest::broker();
my $brokers = $broker->bootstrap;
my $node = KafkaFdwTest::node($brokers);
my $session = KafkaFdwTest::session($node);

# Text that compresses, and better the more one tries; about 1 kB, so that a single message does too.
$session->query_safe(<<"SQL");
CREATE TABLE rows AS SELECT i AS id, string_agg(substr(md5((i * j % 997)::text), 1, 2 + j % 7), ' ' ORDER BY j) AS pad
  FROM generate_series(1, $ROWS) AS i, generate_series(1, 150) AS j GROUP BY i
SQL

# --- sending: topic -> the codec its batches should have

my %wanted;

# One batch for all rows, so that sizes can be compared: it goes when the statement ends.
my $one_batch = "delivery 'immediate', linger_ms '5000'";

sub send_immediate
{
	my ($topic, $codec, $options) = @_;
	KafkaFdwTest::topic($session, $topic, options => join ', ', $one_batch, $options // ());
	$session->query_safe("INSERT INTO $topic (id, pad) SELECT * FROM rows ORDER BY id", 60);
	$wanted{$topic} = $codec;
	return;
}

send_immediate('by_default', 'none');
send_immediate('none', 'none', "compression_type 'none'");
send_immediate($_, $_, "compression_codec '$_'") for @CODECS;
for my $codec (sort keys %LEVELS)
{
	send_immediate("${codec}_level_$_", $codec, "compression_type '$codec', compression_level '$_'") for @{ $LEVELS{$codec} };
}
for my $codec (@CODECS)
{
	$session->query_safe("CREATE SERVER kafka_$codec FOREIGN DATA WRAPPER kafka_fdw
		OPTIONS (bootstrap_servers '$brokers', compression_type '$codec')");
	KafkaFdwTest::topic($session, "${codec}_committed", server => "kafka_$codec");
	$session->query_safe("BEGIN; INSERT INTO ${codec}_committed (id, pad) SELECT * FROM rows; COMMIT", 60);
	$wanted{"${codec}_committed"} = $codec;
}
# what a rolled-back transaction leaves, and a function's messages
$session->query_safe("BEGIN; INSERT INTO zstd_committed (id) VALUES (-1); ROLLBACK");
$session->query_safe(<<'SQL');
SELECT kafka.create_topic('zstd_produced', server => 'kafka');
SELECT count(kafka.produce('zstd_produced', to_jsonb(r), server => 'kafka_zstd', delivery => 'immediate')) FROM rows AS r;
SQL
$wanted{zstd_produced} = 'zstd';

# --- what the broker has

my @topics = sort keys %wanted;
my $dump = $broker->tool('org.apache.kafka.tools.DumpLogSegments', '--files',
	join ',', map { $broker->segments($_) } @topics);

my (%codecs, %size, %count);
my $topic;
for my $line (split /\n/, $dump)
{
	$topic = $1 if $line =~ m{^Dumping .*/([^/]+)-\d+/\d+\.log$};
	next unless $line =~ /^baseOffset: .* count: (\d+) .* isControl: false .* size: (\d+) .* compresscodec: (\S+) .* isvalid: true/;
	$count{$topic} += $1;
	$size{$topic} += $2;
	$codecs{$topic}{$3} = 1;
}
for (@topics)
{
	is(join(' ', sort keys %{ $codecs{$_} }), $wanted{$_}, "$_: codec on every batch");
	is($count{$_}, $ROWS, "$_: messages in the dump");
}
for my $codec (@CODECS)
{
	cmp_ok($size{$codec}, '<', 0.9 * $size{none}, "$codec is smaller: $size{$codec} of $size{none} bytes");
}
for my $codec (sort keys %LEVELS)
{
	my ($low, $high) = map { $size{"${codec}_level_$_"} } @{ $LEVELS{$codec} };
	cmp_ok($high, '<', $low, "$codec, level $LEVELS{$codec}[1] is smaller than $LEVELS{$codec}[0]: $high, $low bytes");
}

# --- Java's consumer, and ours

my $total = $ROWS * @topics;
my $read = $broker->tool('org.apache.kafka.tools.consumer.ConsoleConsumer', '--bootstrap-server', '@BROKERS@',
	'--include', join('|', @topics), '--from-beginning', '--isolation-level', 'read_committed', '--max-messages', $total,
	'--timeout-ms', 30000);
my %seen;
$seen{$_}++ for split /\n/, $read;
my $rows = $session->query_safe("SELECT jsonb_build_object('id', id, 'pad', pad)::text FROM rows");
my %expected = map { s/": /":/gr =~ s/", "/","/gr =~ s/, "/,"/gr => scalar @topics } split /\n/, $rows;
my %found;
# the members' spelling differs between INSERT and jsonb
$found{ s/": /":/gr =~ s/, "/,"/gr } += $seen{$_} for keys %seen;
is_deeply(\%found, \%expected, "Java's consumer reads all messages of all codecs, each once");

for (grep { $_ ne 'zstd_produced' } @topics)
{
	is($session->query_safe("SELECT count(*), count(DISTINCT id) FROM $_ JOIN rows USING (id, pad)"), "$ROWS|$ROWS", "$_: a scan reads them");
}
$node->stop;
done_testing();
