#!/usr/bin/env perl
# The measuring half of test/bench/run, which has started PostgreSQL and Kafka. Prints one
# table: figure, value, target. Every figure is the median of several runs, and those that
# are compared take turns, so that a noisy moment meets both.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Bench;
use Consuming;
use Instructions;
use Outbox;
use Pipeline;
use Reading;
use Writing;

my $callgrind = grep { $_ eq '--callgrind' } @ARGV;
$opt{messages} = 20000 if $callgrind;
set_options(grep { $_ ne '--callgrind' } @ARGV);
$| = 1;

my $session = session();
ask($session, "CREATE EXTENSION kafka_fdw; CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw "
	. "OPTIONS (bootstrap_servers '$brokers')");
my $major = machine($session);
if ($callgrind)
{
	Instructions::run($session);
	exit 0;
}
my %sections = (reading => sub { Reading::run($session, $major) }, writing => sub { Writing::run($session) },
	consuming => sub { Consuming::run($session) }, outbox => sub { Outbox::run() },
	pipeline => sub { Pipeline::run() });
for my $section (qw(reading writing consuming outbox pipeline))
{
	next unless $opt{section} eq $section || $opt{section} eq 'all';
	$sections{$section}->();
	print "\n" if $opt{section} eq 'all';
}
finish($session);
