# peer_R2, peer_R3, peer_R8, peer_R14, peer_R15: whatever the WHERE clause, the order, the limit
# and the join, a topic gives the rows that an ordinary table with the same content gives. The
# topic has gaps, removed messages, an empty partition and timestamps out of order.
#
#   KAFKA_FDW_SEED=N KAFKA_FDW_ROUNDS=N make check TESTS=t/110_random_conditions.pl
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use KafkaFdwTest;

my $SEED = $ENV{KAFKA_FDW_SEED} // int(time) % 1_000_000;
my $ROUNDS = $ENV{KAFKA_FDW_ROUNDS} // 600;
my $MAX_FAILURES = 10;
srand $SEED;
note "KAFKA_FDW_SEED=$SEED";

my $node = KafkaFdwTest::node($ENV{KAFKA_BROKERS}, conf => "max_worker_processes = 16\nmax_parallel_workers = 8\n");
my $session = KafkaFdwTest::session($node);

# --- the topic, and a table with the same content

my $columns = "id int, other int, part int OPTIONS (meta 'partition'), offs bigint OPTIONS (meta 'offset'),
	ts timestamptz OPTIONS (meta 'timestamp')";
$session->query_safe($_) for (
	# the timestamps are older than retention allows
	"SELECT kafka.create_topic('random_conditions', 6, config => '{\"retention.ms\": -1}')",
	"SELECT kafka.create_topic('random_conditions_refused', config => '{\"max.message.bytes\": 1000}')",
	"CREATE FOREIGN TABLE topic ($columns) SERVER kafka OPTIONS (topic 'random_conditions', format 'csv')",
	"CREATE FOREIGN TABLE parallel_topic ($columns) SERVER kafka
		OPTIONS (topic 'random_conditions', format 'csv', fdw_tuple_cost '1000')",
	"CREATE FOREIGN TABLE refused (v text) SERVER kafka OPTIONS (topic 'random_conditions_refused')",
	"SET timezone = 'Europe/Vienna'",
	"SET kafka_fdw.server = 'kafka'");
my $fill = "INSERT INTO topic (id, other, part, ts)
	SELECT i, nullif(i %% 9, 4), (i * 7 %% 11) %% 5, timestamptz '2025-03-30 00:00+01' + (i / 10 - i %% 3) * interval '7 min 0.5 s'
	  FROM generate_series(%d, %d) AS i";
for my $batch (0 .. 11)
{
	$session->query_safe(sprintf $fill, 40 * $batch, 40 * $batch + 39);
	# what is sent with it is aborted
	$session->query(sprintf("BEGIN; $fill; INSERT INTO refused SELECT repeat('x', 5000); COMMIT", 10000, 10011));
	is($session->state, '54000', 'a transaction that Kafka aborts') if $batch == 0;
}
my @ends = split /\n/, $session->query_safe("SELECT last_stable FROM kafka.watermarks('random_conditions') ORDER BY partition");
is(scalar @ends, 6, 'partitions');
is($ends[5], 0, 'one of them is empty');
KafkaFdwTest::delete_records($ENV{KAFKA_BROKERS}, 'random_conditions', 1, 17);
KafkaFdwTest::delete_records($ENV{KAFKA_BROKERS}, 'random_conditions', 3, $ends[3]);
$session->query_safe('CREATE TABLE copy AS SELECT * FROM topic; ANALYZE copy');
is($session->query('SELECT count(*) > 300 AND count(DISTINCT part) = 4 AND count(*) FILTER (WHERE part = 4) < max(offs) FILTER (WHERE part = 4)
	AND min(offs) FILTER (WHERE part = 1) >= 17 AND bool_or(ts < least) FROM (SELECT *, max(ts) OVER (PARTITION BY part
	ORDER BY offs) AS least FROM copy) s'), 't', 'removed, missing and disordered messages');
is($session->query('SELECT count(*) FROM copy WHERE id >= 10000'), '0', 'but none that was aborted');

$session->query_safe($_) for (
	"CREATE FUNCTION stable_int(i bigint) RETURNS bigint LANGUAGE plpgsql STABLE PARALLEL SAFE AS 'BEGIN RETURN i; END'",
	"CREATE FUNCTION volatile_int(i bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS 'BEGIN RETURN i; END'",
	"CREATE TABLE sought (p int, o bigint, t timestamptz, list bigint[])",
	"INSERT INTO sought VALUES (0, 5, '2025-03-30 03:30+02', '{1,2,70,NULL}'), (1, 10, '2025-03-30 08:00+02', '{}'),
		(1, 33, NULL, '{33,34,35}'), (2, NULL, '2025-03-30 06:15:00.0004+02', '{NULL}'), (3, 0, '2024-01-01', '{0}'),
		(4, 90, '2026-01-01', NULL), (NULL, 7, '2025-03-30 05:00+02', '{7,8}'), (7, 7, '-infinity', '{-1}')",
	'ANALYZE sought');

# --- random statements

sub one_of { return $_[ int rand @_ ]; }
sub chance { return rand() < $_[0]; }

my @parameters;

# A value in one of the forms a value can have.
sub in_form
{
	my ($literal, $type, $plain) = @_;
	return $literal if !$plain && chance(0.6);
	my $form = int rand 10;
	if ($form < 3)
	{
		push @parameters, [ $type, $literal ];
		return '$' . @parameters;
	}
	return "(SELECT $literal)" if $form == 3;
	return "CASE WHEN current_user IS NOT NULL THEN $literal END" if $form == 4;
	return $type =~ /^(?:int|bigint|smallint)$/ ? (one_of('stable_int', 'volatile_int') . "($literal)") : $literal if $form == 5;
	return "coalesce($literal, NULL)" if $form == 6;
	return $literal;
}

sub integer
{
	my ($column) = @_;
	return 'NULL::' . one_of('int', 'bigint') if chance(0.04);
	return $column eq 'part' ? (one_of(-1 .. 7)) : int rand 140 if chance(0.92);
	return one_of(-5, 2147483647, '2147483648::bigint', '9223372036854775807::bigint', "'-9223372036854775808'::bigint", 3000000000);
}

sub number
{
	my ($column) = @_;
	my $value = integer($column);
	return sprintf '%s.%d', int rand 100, rand 10 if chance(0.03);
	return $value if $value =~ /::/;
	my $type = abs $value > 2147483647 ? 'bigint' : abs $value > 32000 ? one_of('int', 'bigint') : one_of('int', 'int', 'bigint', 'smallint');
	return in_form(chance(0.2) ? "'$value'::$type" : "($value)::$type", $type);
}

sub moment
{
	my $type = one_of('timestamptz', 'timestamptz', 'timestamptz', 'timestamp', 'date');
	return in_form("'infinity'::$type", $type) if chance(0.02);
	return in_form("'-infinity'::$type", $type) if chance(0.02);
	return in_form("NULL::$type", $type) if chance(0.03);
	return in_form(one_of("'4714-11-24 BC'", "'5874897-12-31'") . '::date', 'date') if chance(0.02);
	my $seconds = int rand 25000;
	my $text = sprintf "'2025-03-%02d %02d:%02d:%02d.%06d'", chance(0.9) ? 30 : 29 + rand 3,
		$seconds / 3600, $seconds / 60 % 60, $seconds % 60, chance(0.5) ? 500000 * int rand 2 : rand 1e6;
	# one that is there
	$text = $session->query_safe('SELECT quote_literal(ts) FROM copy ORDER BY id OFFSET ' . (int rand 300) . ' LIMIT 1')
		if $type eq 'timestamptz' && chance(0.2);
	return in_form("$text\::$type", $type);
}

sub list
{
	my ($column) = @_;
	my @items = map { $column eq 'ts' ? "'2025-03-30 0" . (1 + int rand 8) . ":00'" : integer($column) } 1 .. rand 5;
	@items = map { s/::\w+//r } @items;
	return (\@items, $column eq 'ts' ? one_of('timestamptz', 'timestamp', 'date') : 'bigint');
}

sub comparison
{
	my $column = one_of('part', 'part', 'part', 'offs', 'offs', 'offs', 'ts', 'ts', 'other', 'id');
	my $value = $column eq 'ts' ? \&moment : sub { number($column) };
	my $operator = one_of('=', '=', '<>', '<', '<=', '>', '>=');
	my $left = $column =~ /part|offs/ && chance(0.1) ? "$column\::bigint" : $column;
	my $kind = int rand 20;

	return "$left $operator " . $value->() if $kind < 8;
	return $value->() . " $operator $left" if $kind < 10;
	return "$left " . one_of('BETWEEN', 'BETWEEN', 'NOT BETWEEN', 'BETWEEN SYMMETRIC') . ' ' . $value->() . ' AND ' . $value->() if $kind < 12;
	return "$left IS " . one_of('NULL', 'NOT NULL') if $kind == 12;
	if ($kind < 16)
	{
		my ($items, $type) = list($column);
		my $literal = @$items && chance(0.5) ? 'ARRAY[' . join(', ', @$items) . "]::$type\[]" : "ARRAY[]::$type\[]";
		return "$left " . one_of('IN', 'IN', 'NOT IN') . ' (' . join(', ', map { $column eq 'ts' ? "$_\::$type" : $_ } @$items) . ')' if @$items && chance(0.5);
		return "$left $operator " . one_of('ANY', 'ANY', 'ALL') . ' (' . in_form($literal, "$type\[]") . ')';
	}
	my $rows = $operator eq '<>' || $operator eq '=' ? '>' : $operator;
	return "(part, offs) $rows (" . number('part') . ', ' . number('offs') . ')' if $kind == 16;
	return one_of("(offs, part, id) $rows (", "(part, id, offs) $rows (") . join(', ', map { number('offs') } 1 .. 3) . ')' if $kind == 17;
	return "(ts, offs) $rows (" . moment() . ', ' . number('offs') . ')' if $kind == 18;
	return one_of('offs = other', 'part < id % 4', 'true', 'false', 'NULL::boolean', 'part + 0 = 1', 'offs % 10 = 3', 'id IS DISTINCT FROM other',
		"part::text = '2'", 'ts > now()', 'ts < now() - interval \'1 hour\'', 'ts::date = date \'2025-03-30\'', '(part > 1) IS TRUE', '(offs < 50) IS NOT FALSE');
}

sub condition
{
	my ($depth) = @_;
	return comparison() if $depth == 0 || chance(0.35);
	my @arms = map { condition($depth - 1) } 1 .. 2 + rand 2;
	my $text = '(' . join(one_of(' AND ', ' OR '), @arms) . ')';
	return chance(0.2) ? "NOT $text" : $text;
}

# ORDER BY and how many of its columns, from the first, are part of the result's order.
sub order
{
	my @choices = ([ 'part', 'offs' ], [ 'part', 'offs' ], ['offs'], [ 'offs', 'part' ], ['part'], [ 'part', 'id' ], ['ts'], [ 'offs', 'id' ], [ 'other', 'offs', 'part' ]);
	my @keys = @{ one_of(@choices) };
	return (join(', ', map { $_ . one_of('', '', ' DESC', ' DESC NULLS LAST', ' NULLS FIRST') } @keys), @keys);
}

my @place = ('id', 'part', 'offs', 'ts', 'other');
my %place = map { $place[$_] => $_ } 0 .. $#place;
my ($failures, $rows, $executed) = (0, 0, 0);

# Rows of a statement, of the topic and of the copy; undef after an error of both.
sub run_both
{
	my ($statement, $settings, $topic) = @_;
	my @results;
	for my $relation ($topic, 'copy')
	{
		my $text = $statement =~ s/\bRELATION\b/$relation/gr;
		my $types = @parameters ? '(' . join(', ', map { $_->[0] } @parameters) . ')' : '';
		my $values = @parameters ? '(' . join(', ', map { $_->[1] } @parameters) . ')' : '';
		my $out = $session->query("BEGIN; $settings; PREPARE random$types AS $text; EXECUTE random$values; ROLLBACK; DEALLOCATE ALL", 30);
		push @results, $session->error =~ /ERROR/ ? $session->error : [ split /\n/, $out ];
		$session->query('ROLLBACK; DEALLOCATE ALL') if $session->error;
	}
	$executed++;
	return @results;
}

sub fail_with
{
	my ($statement, $settings, $why) = @_;
	my $values = join ', ', map { "$_->[1]" } @parameters;
	fail("KAFKA_FDW_SEED=$SEED: $why\n$settings;\n$statement;\nparameters: $values");
	die "too many failures\n" if ++$failures >= $MAX_FAILURES;
	return;
}

sub keys_of
{
	my ($rows, @keys) = @_;
	return join "\n", map { my @row = split /\|/, $_, -1; join '|', @row[ @place{@keys} ] } @$rows;
}

sub compare
{
	my ($statement, $settings, $topic, $limited, @keys) = @_;
	my ($ours, $theirs) = run_both($statement . $limited, $settings, $topic);
	# the table's own error: nothing is promised about the rows
	return if !ref $theirs && !ref $ours;
	return fail_with($statement . $limited, $settings, "error: $ours $theirs") if !ref $ours || !ref $theirs;
	$rows += @$theirs;
	return fail_with($statement . $limited, $settings, @$ours . ' rows, not ' . @$theirs) if @$ours != @$theirs;
	return fail_with($statement . $limited, $settings, 'another order') if @keys && keys_of($ours, @keys) ne keys_of($theirs, @keys);
	return if $limited && $limited !~ /TIES/;
	return fail_with($statement . $limited, $settings, 'other rows') if join("\n", sort @$ours) ne join("\n", sort @$theirs);
	return;
}

sub random_settings
{
	my ($parallel) = @_;
	my @settings = 'SET LOCAL plan_cache_mode = ' . one_of('auto', 'force_generic_plan', 'force_generic_plan', 'force_custom_plan');
	push @settings, "SET LOCAL enable_$_ = off" for grep { chance(0.3) } qw(hashjoin mergejoin material memoize nestloop sort incremental_sort hashagg);
	push @settings, 'SET LOCAL parallel_setup_cost = 0', 'SET LOCAL parallel_tuple_cost = 0', 'SET LOCAL min_parallel_table_scan_size = 0',
		'SET LOCAL max_parallel_workers_per_gather = ' . one_of(1, 2), 'SET LOCAL parallel_leader_participation = ' . one_of('on', 'off')
		if $parallel;
	return join '; ', @settings;
}

my $begun = time;
for my $round (1 .. $ROUNDS)
{
	@parameters = ();
	my $parallel = $round % 40 == 0;
	my $statement = 'SELECT ' . join(', ', @place) . ' FROM RELATION WHERE ' . condition(int rand 5);
	my ($limited, @keys) = ('');
	if (chance(0.5))
	{
		my ($order, @order) = order();
		$statement .= " ORDER BY $order";
		@keys = @order;
	}
	my $number = one_of(0, 1, 2, 3, 10, 50, 400);
	$limited = ' LIMIT ' . $number . (chance(0.5) ? ' OFFSET ' . one_of(0, 1, 5, 30) : '') if chance(0.4);
	$limited = " FETCH FIRST $number ROWS WITH TIES" if @keys && chance(0.15);
	compare($statement, random_settings($parallel), $parallel ? 'parallel_topic' : 'topic', $limited, @keys);
}
diag sprintf 'seed %d: %d statements, %d rows, %.1f s', $SEED, $executed, $rows, time - $begun;

# --- random joins: the ranges come from the other side

my @joined = (
	'k.part = s.p AND k.offs = s.o', 'k.part = s.p AND k.offs >= s.o', 'k.offs = s.o', 'k.offs BETWEEN s.o - 2 AND s.o + 2 AND k.part = s.p',
	'(k.part, k.offs) > (s.p, s.o) AND k.offs < 40', 'k.offs = ANY (s.list)', 'k.offs <> ALL (s.list) AND k.part = s.p', 'k.ts >= s.t', 'k.ts < s.t AND k.part = s.p',
	'k.part = s.p OR k.offs = s.o', 'k.part = s.p AND (k.offs < s.o OR k.ts > s.t)', 'k.part = s.p AND k.id % 3 = s.o % 3', 'k.part IS NOT DISTINCT FROM s.p', 'k.offs = s.o + k.part');
my @shapes = (
	'SELECT k.*, s FROM sought s JOIN RELATION k ON JOINED',
	'SELECT k.*, s FROM sought s LEFT JOIN RELATION k ON JOINED AND CONDITION',
	'SELECT k.*, s FROM sought s RIGHT JOIN RELATION k ON JOINED',
	'SELECT s FROM sought s WHERE EXISTS (SELECT FROM RELATION k WHERE JOINED AND CONDITION)',
	'SELECT s FROM sought s WHERE NOT EXISTS (SELECT FROM RELATION k WHERE JOINED)',
	'SELECT k.* FROM RELATION k WHERE EXISTS (SELECT FROM sought s WHERE JOINED) AND CONDITION',
	'SELECT s, l.* FROM sought s, LATERAL (SELECT * FROM RELATION k WHERE JOINED ORDER BY k.part DESC, k.offs DESC LIMIT 3) l',
	'SELECT s, l.* FROM sought s LEFT JOIN LATERAL (SELECT * FROM RELATION k WHERE JOINED AND CONDITION ORDER BY k.offs, k.part LIMIT 2 OFFSET 1) l ON true',
	'SELECT s, (SELECT sum(k.id) FROM RELATION k WHERE JOINED) FROM sought s',
	'SELECT k.id, j.id FROM sought s JOIN RELATION k ON JOINED JOIN RELATION j ON j.part = k.part AND j.offs = k.offs + 1',
	'SELECT k.id FROM RELATION k WHERE k.offs IN (SELECT s.o FROM sought s WHERE s.p = k.part)');
for my $round (1 .. $ROUNDS / 20)
{
	@parameters = ();
	my $statement = one_of(@shapes);
	my $joined = one_of(@joined);
	my $condition = condition(1) =~ s/\b(part|offs|ts|other|id)\b/k.$1/gr;
	$statement =~ s/JOINED/($joined)/;
	$statement =~ s/CONDITION/$condition/;
	compare($statement, random_settings(0), 'topic', '');
}
is($failures, 0, "seed $SEED: the same rows in the same order");
diag sprintf '%d statements with joins, %d rows in all, %.1f s', $executed, $rows, time - $begun;

$session->query_safe("SELECT * FROM kafka.delete_topic(ARRAY['random_conditions', 'random_conditions_refused'])");
is(KafkaFdwTest::crashes($node), '', 'the server never restarted');
$node->stop;
done_testing();
