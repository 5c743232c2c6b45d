#!/usr/bin/env perl
# The demo's real input: turns apt's package index (apt-cache dumpavail, on standard
# input) into rows for COPY: package, version, section, priority, installed_size in
# KB, maintainer, description.
use strict;
use warnings;

my @COLUMNS = qw(Package Version Section Priority Installed-Size Maintainer Description);

# COPY's text format: \N is null, and three characters need a backslash.
sub copy_value
{
	my ($value) = @_;
	return '\N' unless defined $value && length $value;
	$value =~ s/\\/\\\\/g;
	$value =~ s/\t/\\t/g;
	return $value;
}

my %seen;
local $/ = '';
while (my $record = <STDIN>)
{
	# Continuation lines begin with a space; of a description only the first counts.
	my %field = $record =~ /^([A-Za-z-]+): ?([^\n]*)/mg;
	next unless defined $field{Package} && !$seen{"@field{qw(Package Version)}"}++;
	print join("\t", map { copy_value($field{$_}) } @COLUMNS), "\n";
}
