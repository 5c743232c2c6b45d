# The manual says what the code does: options and settings with their types and defaults
# (doc/options.md against src/ground/options.c, src/client/rules.c and property.c, and pg_settings),
# functions with their signatures (doc/functions.md against the catalogue), and links
# between documents lead somewhere.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use Test::More;
use KafkaFdwTest;

my $TOP = abs_path(dirname(__FILE__) . '/../..');

sub read_file
{
	my ($path) = @_;
	open my $fh, '<', "$TOP/$path" or die "$path: $!\n";
	local $/ = undef;
	return scalar <$fh>;
}

sub squeeze { return join ' ', split ' ', $_[0]; }

# The table below a heading whose first column has that title: first cell -> cells.
sub doc_table
{
	my ($text, $heading, $title) = @_;
	my ($section) = $text =~ /^\Q$heading\E\n(.*?)(?=^#|\z)/ms or die "no section \"$heading\"\n";
	my %rows;
	my $inside = 0;
	for my $line (split /\n/, $section)
	{
		my @cells = map { s/^\s+|\s+$//gr } split /\|/, $line =~ s/^\|//r;
		$inside = 0 unless $line =~ /^\|/;
		$inside = 1 if @cells && $cells[0] eq $title;
		next unless $inside && $cells[0] =~ /^`(.*)`$/;
		$rows{$1} = \@cells;
	}
	return \%rows;
}

# --- the extension's own options ---------------------------------------------------

# Words of the enumerations, then the rows of kafka_option_table, as the manual puts them.
sub code_options
{
	my $code = read_file('src/ground/options.c');
	my %words;
	while ($code =~ /config_enum_entry (\w+)\[\] = \{(.*?)\n\};/sg)
	{
		my ($name, $body) = ($1, $2);
		$words{$name} = join ', ', map { "`$_`" } $body =~ /\{"(\w+)"/g;
	}
	my %bits = (S_M => [ 'Server', 'User mapping' ], S_T => [ 'Server', 'Foreign table' ], T => ['Foreign table'], C => ['Column'],
		I => ['IMPORT FOREIGN SCHEMA']);
	my %kind = (STRING => 'text', CHAR => 'character', BOOL => 'boolean', ENCODING => 'encoding',
		COST => 'number, not negative');
	my ($table) = $code =~ /kafka_option_table\[\] = \{(.*?)\n\};/s;
	my %options;
	while ($table =~ /\{"(\w+)",\s*(\w+),\s*KAFKA_OPTION_(\w+),\s*(\w+),\s*(\d+),\s*(\d+),\s*
		(NULL|"(?:[^"\\]|\\.)*"),\s*(true|false),/xg)
	{
		my ($name, $places, $type, $values, $min, $max, $default, $required) = ($1, $2, $3, $4, $5, $6, $7, $8);
		my $shown =
			  $type eq 'ENUM' ? $words{$values}
			: $type eq 'INT' ? "integer, $min to $max"
			: $kind{$type};
		die "options.c: $name has a place or type that this test does not know\n"
			unless $bits{$places} && $shown;
		$default = $default eq 'NULL' ? undef : substr($default, 1, -1) =~ s/\\(.)/$1/gr;
		$options{$_}{$name} = [ $shown, $default, $required eq 'true' ] for @{ $bits{$places} };
	}
	return \%options;
}

my $manual = read_file('doc/options.md');
my $options = code_options();
cmp_ok(scalar keys %{ $options->{'Foreign table'} }, '>=', 10, 'the table of options was found in the code');

# What a default that is no literal looks like: those without one, and the empty text.
my %DEFAULT = (delivery => 'setting `kafka_fdw.delivery`', escape => 'same as `quote`');

for my $place ('Server', 'User mapping', 'Foreign table', 'Column', 'IMPORT FOREIGN SCHEMA')
{
	my $documented = doc_table($manual, "## $place", 'option');
	is(join(' ', sort keys %{$documented}), join(' ', sort keys %{ $options->{$place} }),
		"$place: the options of the manual are those of the code");
	for my $name (sort keys %{ $options->{$place} })
	{
		my ($type, $default, $required) = @{ $options->{$place}{$name} };
		my $row = $documented->{$name} or next;
		my $wanted =
			  $required ? 'required'
			: !defined $default ? $DEFAULT{$name} // 'none'
			: $default eq '' ? 'empty'
			: "`$default`";
		is("$row->[1] / $row->[2]", "$type / $wanted", "$place: type and default of $name");
	}
}

# --- librdkafka's properties ---------------------------------------------------------

my $properties = read_file('src/client/property.c');
my ($table) = read_file('src/client/rules.c') =~ /property_rules\[\] = \{(.*?)\n\};/s;
my %SECTION = (
	OWNED => 'Refused: the extension decides',
	FILE => 'Privileged: files and programs',
	PROGRAM => 'Privileged: files and programs',
	SUPERUSER => 'Privileged: files and programs',
	CREDENTIAL => 'Secrets and credentials',
	SECRET => 'Secrets and credentials');
my @missing;
my $ruled = 0;
while ($table =~ /\{"([^"]+)", KAFKA_RULE_(\w+)\}/g)
{
	my ($name, $rule) = ($1, $2);
	next if $rule eq 'OPEN';
	my ($section) = $manual =~ /^### \Q$SECTION{$rule}\E\n(.*?)(?=^#|\z)/ms;
	push @missing, $name unless defined $section && index($section, "`$name`") >= 0;
	$ruled++;
}
cmp_ok($ruled, '>', 50, 'the rules for properties were found in the code');
is("@missing", '', 'properties that are refused, privileged or secret are in their section');

my $shown = '### Defaults that differ from librdkafka\'s';
my ($section) = $manual =~ /^\Q$shown\E\n(.*?)(?=^#|\z)/ms;
my ($defaults) = $properties =~ /^put_defaults\(.*?\{(.*?)^\}/ms;
my ($fixed) = $properties =~ /^put_fixed\(.*?\{(.*?)^\}/ms;
my (%code_defaults, %documented);
my $set = $defaults . $fixed;
$code_defaults{$1}{ $2 // '' } = 1 while $set =~ /put_(?:setting|if_known)\(settings, "([^"]+)", (?:"([^"]*)"|\w+)\)/g;
$documented{$1}{$2} = 1 while $section =~ /^\| `([^`]+)` \| (.*?) \|/mg;
is(join(' ', sort keys %documented), join(' ', sort keys %code_defaults), 'the properties with a default of ours');
for my $name (sort keys %code_defaults)
{
	my @wanted = sort map { "`$_`" } grep { $_ ne '' } keys %{ $code_defaults{$name} } or next;
	is(join(' ', sort keys %{ $documented{$name} }), "@wanted", "our default of $name");
}

# --- settings and functions, as a server has them ------------------------------------

my $node = KafkaFdwTest::node($ENV{KAFKA_BROKERS}, preload => 1);
my $settings = doc_table($manual, '## Settings', 'setting');
my $rows = $node->safe_psql('postgres', <<'SQL');
DO 'BEGIN PERFORM kafka.headers_to_jsonb(''{}''); END';	-- loads the library
SELECT format('%s|%s|%s|%s|%s', name, vartype,
              CASE WHEN boot_val IS NULL OR boot_val = '' THEN 'empty' ELSE '`' || boot_val || '`' END, unit, context)
  FROM pg_settings WHERE name LIKE 'kafka\_fdw.%' ORDER BY name
SQL
my @in_manual = map { join '|', $_, @{ $settings->{$_} }[ 1 .. 4 ] } sort keys %{$settings};
is(join("\n", @in_manual), $rows, 'the settings of the manual are those of the server');

my $reference = squeeze(read_file('doc/functions.md'));
my $functions = $node->safe_psql('postgres', <<'SQL');
SELECT format('kafka.%s(%s) RETURNS %s', p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid))
  FROM pg_proc AS p
  JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
 WHERE e.extname = 'kafka_fdw' ORDER BY 1
SQL
for my $signature (split /\n/, $functions)
{
	$signature =~ s/::[a-z_][a-z0-9_. ]*(\[\])?//g;	# casts of defaults
	ok(index($reference, $signature) >= 0, "doc/functions.md has $signature");
}
my $types = $node->safe_psql('postgres', <<'SQL');
SELECT t.typname FROM pg_type AS t JOIN pg_depend AS d
    ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
 WHERE t.typnamespace = 'kafka'::regnamespace AND t.typcategory <> 'A' ORDER BY 1
SQL
ok(index($reference, "`kafka.$_`") >= 0, "doc/functions.md has the type $_") for split /\n/, $types;
$node->stop;

# --- links between documents -----------------------------------------------------------

# As GitHub makes them: lower case, no punctuation, hyphens for spaces.
sub anchors_of
{
	my ($text) = @_;
	$text =~ s/^```.*?^```//msg;
	return { map { (lc) =~ s/[^a-z0-9 _-]//gr =~ tr/ /-/r => 1 } $text =~ /^#+ (.*)$/mg };
}

my @broken;
my $links = 0;
for my $file ('README.md', 'CHANGELOG.md', 'test/README.md', map { 'doc/' . basename($_) } glob "$TOP/doc/*.md")
{
	my $text = read_file($file);
	while ($text =~ /\]\(([^)\s]+)\)/g)
	{
		my ($path, $anchor) = split /#/, $1, 2;
		next if $path =~ /^[a-z]+:/;
		my $target = $path eq '' ? $file : dirname($file) eq '.' ? $path : dirname($file) . "/$path";
		$links++;
		push @broken, "$file: $1" unless -e "$TOP/$target";
		next unless defined $anchor && -e "$TOP/$target";
		push @broken, "$file: $path#$anchor" unless anchors_of(read_file($target))->{$anchor};
	}
}
cmp_ok($links, '>', 10, 'links were found');
is(join("\n", @broken), '', 'every link leads somewhere');

done_testing();
