# make bench-callgrind: instructions of a backend, by function.
package Instructions;
use strict;
use warnings;
use Bench;
use Pipeline;
use Reading;
use Writing;

my $bindir = `$ENV{PG_CONFIG} --bindir` =~ s/\s+$//r;

# A backend of its own under valgrind. Returns instructions by "object: function".
sub instructions
{
	my ($query) = @_;
	my $out = "$work/callgrind.out";
	unlink glob "$out*";
	system('sh', '-c', "printf '%s\\n' \"\$0\" | valgrind --tool=callgrind --callgrind-out-file=$out "
		. "--separate-threads=yes $bindir/postgres --single -D $work/pg/data postgres "
		. ">$work/single.log 2>&1", $query) == 0 or die `tail $work/single.log`;
	my $errors = `grep -E '(ERROR|FATAL|PANIC): ' $work/single.log`;
	die "$query: $errors" if $errors;
	my %count;
	# the first thread is the backend's own; the others are librdkafka's
	for (`callgrind_annotate --threshold=100 --tree=none --auto=no --inclusive=no $out-01`)
	{
		my ($instructions, $function, $object) = m{^\s*([\d,]+)\s.*?\s([^/\s][^\[]*?|/\S*?:[^\[]*?)(?:\s\[(.*)\])?$} or next;
		next if $function =~ /^PROGRAM TOTALS|events annotated/;
		$object = ($object // '?') =~ s{.*/}{}r =~ s/\.so.*//r;
		$function =~ s/^.*://;
		$count{"$object: $function"} += $instructions =~ tr/,//dr;
	}
	return \%count;
}

# What is compared: name, the statement, the same with one row, rows.
sub reading_cases
{
	return map {
		my ($name, $query) = @$_;
		[ $name, $query, $query =~ s/ FROM (\w+)/ FROM (SELECT * FROM $1 LIMIT 1) AS t/r, $opt{messages} ]
	} ['count(*)', 'SELECT count(*) FROM bench_csv'], ['csv', $Reading::CSV], ['json', $Reading::JSON];
}

sub writing_cases
{
	my @cases;
	for my $mode (qw(immediate before_commit))
	{
		my $rows = $opt{messages};
		my $calls = $mode eq 'immediate' ? int($rows / 10) : $rows;
		push @cases, [ "INSERT, $mode", map({ Writing::insert_series("bench_bulk_$mode", $_) } $rows, 1), $rows - 1 ];
		push @cases, [ "produce, $mode", map({ Writing::calls_series($mode, $_) } $calls, 1), $calls - 1 ];
	}
	return @cases;
}

# The difference of a whole statement and of one that ends with its first row: what a row takes.
sub count
{
	my ($name, $query, $query_of_one, $rows) = @_;
	my $all = instructions($query);
	my $one = instructions($query_of_one);
	my ($sum, %object) = 0;
	for my $function (keys %$all)
	{
		$all->{$function} = ($all->{$function} - ($one->{$function} // 0)) / $rows;
		$sum += $all->{$function};
		$object{ $function =~ s/:.*//r } += $all->{$function};
	}
	printf "\n%-24s %6.0f\n", $name, $sum;
	printf "  %6.0f  %s\n", $object{$_}, $_
		for grep { $object{$_} >= 20 } sort { $object{$b} <=> $object{$a} } keys %object;
	my @top = (grep { $all->{$_} >= 20 } sort { $all->{$b} <=> $all->{$a} } keys %$all)[0 .. 24];
	printf "    %6.0f  %s\n", $all->{$_}, $_ for grep { defined } @top;
}

# Pipelines that have all of the topic before them, or a message; each is run once.
sub pipeline_cases
{
	my @cases;
	for my $format (qw(csv json))
	{
		my ($name, $table) = ("bench_load_$format", "loaded_$format");
		push @cases, [ "COPY, $format", map({ "COPY $table FROM '$work/$_' (FORMAT csv)" } $name, "$name.one"), $opt{messages} - 1 ];
		push @cases, [ "pipeline, $format", map({ "CALL kafka.run_pipeline('$_')" } $name, "${name}_one"), $opt{messages} - 1 ];
	}
	return @cases;
}

sub set_up_pipelines
{
	my ($session) = @_;
	my $last = $opt{messages} / $PARTITIONS - 1;
	for my $format (qw(csv json))
	{
		my $name = "bench_load_$format";
		Pipeline::set_up($session, $format);
		ask($session, "COPY (SELECT * FROM $name LIMIT 1) TO '$work/$name.one' (FORMAT csv)");
		ask($session, "SELECT kafka.create_pipeline('${name}_one', '$name', 'loaded_$format', start => 'latest')");
		ask($session, "SELECT kafka.seek_pipeline('${name}_one', '$last', 0)");
	}
}

my %SECTIONS = (reading => [ sub { Reading::set_up($_[0], 1) }, \&reading_cases ],
	writing => [ \&Writing::set_up, \&writing_cases ], pipeline => [ \&set_up_pipelines, \&pipeline_cases ]);

sub run
{
	my ($session) = @_;
	my @sections = $SECTIONS{ $opt{section} } // @SECTIONS{qw(reading writing pipeline)};
	$_->[0]->($session) for @sections;
	finish($session);
	system("$bindir/pg_ctl -D $work/pg/data -m fast -w stop >/dev/null") == 0 or die "pg_ctl stop failed\n";
	print "instructions a row, of the backend's own thread\n";
	count(@$_) for map { $_->[1]->() } @sections;
}

1;
