# Nasty names: of JSON members, columns, tables, schemas, servers, options, topics, headers, keys and
# trigger arguments. Whatever they are, what is created comes back as it was written, nothing
# else is created or dropped, and nothing crashes. KAFKA_FDW_SEED repeats a run.
use strict;
use warnings;
use utf8;
use JSON::PP ();
use Test::More;
use KafkaFdwTest;

my $SEED = $ENV{KAFKA_FDW_SEED} // 20261127;
srand $SEED;
note "KAFKA_FDW_SEED=$SEED";

my @PIECES = (
	'"', '""', "'", "''", '\\', '\\\\', '%', '%s', '%n%n', '%1$s', "\n", "\t", "\r", "\x01", ' ', '$$', '$1', ':x', ":'x'",
	'"; DROP TABLE canary; --', "'); DROP TABLE canary; --", '") SERVER kafka; DROP TABLE canary; --', '/*', '*/', '--', ';',
	'(', ')', ',', '.', '=', '{', '}', '[', ']', '$.a', '?', '@', '/', 'é', 'ß', '漢字', '😀', 'Ω' x 20, 'x' x 61, 'x' x 63,
	'y' x 70, 'a', 'B', '1', '_', 'select', 'kafka', 'offset', 'NULL', 'null', '#', "\x{2028}", "e\x{301}");

sub name
{
	my ($short) = @_;
	my $name = join '', map { $PIECES[ rand @PIECES ] } 1 .. 1 + int rand 5;
	return $name unless $short;
	chop $name while length(bytes($name)) > 63;
	return $name eq '' ? 'z' : $name;
}

sub bytes { my ($text) = @_; utf8::encode($text); return $text; }

# As SQL, in UTF-8 and on one line.
sub literal
{
	my ($text) = @_;
	$text =~ s/([\\'])/$1$1/g;
	$text =~ s/([\x00-\x1f])/sprintf '\\x%02x', ord $1/ge;
	return bytes("E'$text'");
}

# An identifier; control characters by their numbers.
sub identifier
{
	my ($text) = @_;
	return bytes('"' . $text =~ s/"/""/gr . '"') unless $text =~ /[\x00-\x1f]/;
	$text =~ s/([\\"])/$1$1/g;
	$text =~ s/([\x00-\x1f])/sprintf '\\%04x', ord $1/ge;
	return bytes(qq{U&"$text"});
}

my $node = KafkaFdwTest::node($ENV{KAFKA_BROKERS}, conf => "kafka_fdw.connect_timeout = 5s\n");
my $session = KafkaFdwTest::session($node);
my $ALL = <<'SQL';
SELECT md5(string_agg(o, '' ORDER BY o)) FROM (
  SELECT format('%s %s %s', relname, relkind, relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace
  UNION ALL SELECT format('%s %s', oid, proname) FROM pg_proc UNION ALL SELECT rolname::text FROM pg_roles
  UNION ALL SELECT srvname::text FROM pg_foreign_server UNION ALL SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^pg_') AS s (o)
SQL
$session->query_safe('CREATE TABLE public.canary (a int)');
# The cells of a table of one row, by the JSON member that a column stands for.
$session->query_safe(<<'SQL');
CREATE FUNCTION public.cells(t regclass) RETURNS SETOF text LANGUAGE plpgsql AS $f$
DECLARE
  a record;
  v text;
BEGIN
  FOR a IN SELECT attname, (SELECT option_value FROM pg_options_to_table(attfdwoptions) WHERE option_name = 'json') AS member,
                  EXISTS (SELECT FROM pg_options_to_table(attfdwoptions) WHERE option_name = 'meta') AS meta
             FROM pg_attribute WHERE attrelid = t AND attnum > 0 LOOP
    CONTINUE WHEN a.meta;
    EXECUTE format('SELECT %I::text FROM %s', a.attname, t) INTO v;
    RETURN NEXT encode(convert_to(coalesce(a.member, a.attname), 'UTF8'), 'hex') || '=' || encode(convert_to(v, 'UTF8'), 'hex');
  END LOOP;
END $f$
SQL
my $before = $session->query_safe($ALL);

# --- JSON members through inference and IMPORT FOREIGN SCHEMA ------------------------------------

my $json = JSON::PP->new->canonical->ascii;
my $hex = sub { unpack 'H*', bytes($_[0]) };
for my $i (1 .. 6)
{
	my %document = map { name() => 'v' . name() } 1 .. 8;
	my $topic = "fuzz_$i";
	my $schema = identifier(name(1) . $i);
	$session->query_safe("SELECT FROM kafka.create_topic('$topic', 1)");
	$session->query_safe("SELECT kafka.produce('$topic', " . literal($json->encode(\%document)) . ", delivery => 'immediate')");
	my $wanted = join "\n", sort map { $hex->($_) . '=' . $hex->($document{$_}) } keys %document;
	$session->query_safe("CREATE SCHEMA $schema");
	$session->query_safe("IMPORT FOREIGN SCHEMA kafka LIMIT TO ($topic) FROM SERVER kafka INTO $schema");
	is($session->query_safe("SELECT c FROM pg_class AS r, public.cells(r.oid) AS c WHERE r.relname = '$topic' ORDER BY 1"), $wanted,
		"import $i: every member comes back under its name");
	is($session->query_safe("SELECT count(*) FROM kafka.infer_columns('$topic') WHERE options IS NULL OR options NOT LIKE 'meta%'"),
		scalar keys %document, "import $i: so many columns are inferred");
	$session->query_safe("SELECT * FROM $schema.$topic");
	$session->query_safe("EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM $schema.$topic");
	$session->query_safe("SET client_min_messages = warning; DROP SCHEMA $schema CASCADE; RESET client_min_messages");
	$session->query_safe("SELECT FROM kafka.delete_topic('$topic')");
}
is($session->query_safe($ALL), $before, 'imports leave nothing else behind');

# --- tables and columns through kafka.publish -----------------------------------------------------

$session->query_safe("SELECT FROM kafka.create_topic('fuzz_publish', 1)");
$session->query_safe("CREATE SCHEMA fuzz");
$session->query_safe("CREATE FOREIGN TABLE fuzz.published (op text, after jsonb, source jsonb, k text OPTIONS (meta 'key'), o bigint OPTIONS (meta 'offset')) "
	. "SERVER kafka OPTIONS (topic 'fuzz_publish', format 'json')");
for my $i (1 .. 10)
{
	my ($table, $first, $second, $value) = (name(1), 'k' . name(1), 'v' . name(1), name());
	for ($first, $second) { chop while length(bytes($_)) > 63; }
	my $named = 'fuzz.' . identifier($table);
	my $key = '"' . $first =~ s/"/""/gr . '"';
	$session->query_safe("CREATE TABLE $named (" . identifier($first) . ' text, ' . identifier($second) . ' text)');
	$session->query_safe('CREATE TRIGGER ' . identifier(name(1)) . " AFTER INSERT ON $named FOR EACH ROW EXECUTE FUNCTION "
		. "kafka.publish('fuzz_publish', " . literal($key) . ", 'delivery=immediate')");
	$session->query_safe("INSERT INTO $named VALUES (" . literal($value) . ', ' . literal($value) . ')');
	is($session->query_safe("SELECT p.after = to_jsonb(t) AND p.source ->> 'table' = " . literal($table)
			. ' AND p.k = ' . literal($value)
			. " FROM $named AS t, (SELECT * FROM fuzz.published ORDER BY o DESC LIMIT 1) AS p"),
		't', "publish $i: row and table come back");
}

# --- names in arguments, options and errors --------------------------------------------------------

my @COMMANDS = (
	sub { 'SELECT kafka.produce(' . literal($_[0]) . ", 'x', delivery => 'immediate')" },
	sub { "SELECT kafka.produce('fuzz_publish', '{}', " . literal($_[0]) . ', jsonb_build_array(jsonb_build_object('
		  . "'name', " . literal($_[0]) . "::text, 'value', " . literal($_[0]) . "::text)), delivery => 'immediate')" },
	sub { 'SELECT kafka.watermarks(' . literal($_[0]) . ')' },
	sub { 'SELECT kafka.infer_columns(' . literal($_[0]) . ')' },
	sub { "SELECT kafka.infer_columns('fuzz_publish', format => " . literal($_[0]) . ')' },
	sub { 'SELECT kafka.list_topics(server => ' . literal($_[0]) . ')' },
	sub { "SELECT kafka.partition_for_key('fuzz_publish', " . literal($_[0]) . '::text, ' . literal($_[0]) . ')' },
	sub { 'SELECT * FROM kafka.create_topic(' . literal($_[0]) . ", 1, config => jsonb_build_object(" . literal($_[0]) . '::text, 1))' },
	sub { 'SELECT * FROM kafka.delete_topic(ARRAY[' . literal($_[0]) . '])' },
	sub { 'SELECT kafka.commit_transaction(' . literal($_[0]) . ')' },
	sub { 'CREATE FOREIGN TABLE fuzz.x (' . identifier(name(1)) . ' text OPTIONS (json ' . literal($_[0]) . ")) SERVER kafka OPTIONS (topic "
		  . literal($_[0]) . ')' },
	sub { 'CREATE FOREIGN TABLE fuzz.x (a text OPTIONS (path ' . literal($_[0]) . ")) SERVER kafka OPTIONS (topic 'x', format 'json')" },
	sub { "CREATE FOREIGN TABLE fuzz.x (a text) SERVER kafka OPTIONS (topic 'x', " . identifier(name(1)) . ' ' . literal($_[0]) . ')' },
	sub { "ALTER SERVER kafka OPTIONS (ADD " . identifier(name(1)) . ' ' . literal($_[0]) . ')' },
	sub { 'IMPORT FOREIGN SCHEMA ' . identifier(name(1)) . ' FROM SERVER kafka INTO fuzz' },
	sub { 'IMPORT FOREIGN SCHEMA kafka LIMIT TO (' . identifier('!' . $_[0]) . ') FROM SERVER kafka INTO fuzz' },
	sub { "SET kafka_fdw.server = " . literal($_[0]) . '; SELECT kafka.list_topics(); RESET kafka_fdw.server' });
my %states;
my @bad;
for my $round (1 .. 12)
{
	for my $command (@COMMANDS)
	{
		my $sql = $command->(name());
		$session->query($sql, 30);
		my $state = $session->state // 'gone';
		$states{$state}++;
		push @bad, "$state: $sql" if $state eq 'gone' || $state =~ /^(?:XX|42601)/;
		last if $state eq 'gone';
		$session->query('RESET kafka_fdw.server');
		$session->query('DROP FOREIGN TABLE IF EXISTS fuzz.x');
	}
}
note join ' ', map { "$_: $states{$_}" } sort keys %states;
is(join("\n", @bad), '', 'names in arguments and options: each is taken or refused as it should be');
cmp_ok(scalar keys %states, '>=', 5, 'in more than one way');
is($session->query_safe("SELECT count(*) FROM pg_class WHERE relname = 'canary'"), '1', 'the canary is alive');
$session->query_safe('SET client_min_messages = warning; DROP SCHEMA fuzz CASCADE');
is($session->query_safe($ALL), $before, 'nothing is left behind');
$session->query_safe("SELECT FROM kafka.delete_topic('fuzz_publish')");
is(KafkaFdwTest::crashes($node), '', 'nothing crashed');
$node->stop;
done_testing();
