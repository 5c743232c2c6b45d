# The section "consuming" of make bench: polls, groups, what administration takes.
package Consuming;
use strict;
use warnings;
use Bench;
use Time::HiRes qw(time);

# All messages of the topic by kafka.poll, from the beginning, with commits to a group.
my $POLL_ALL = <<'SQL';
DO $$
DECLARE found bigint := 0; n bigint;
BEGIN
	LOOP
		SELECT count(*) INTO n FROM kafka.poll(10000, '10s', 'bench');
		found := found + n;
		EXIT WHEN found >= %d;
		IF n = 0 THEN RAISE 'only %% messages', found; END IF;
	END LOOP;
END $$
SQL

my $turn = 0;

sub poll_all
{
	my ($session, $messages) = @_;
	return sub {
		my $group = 'bench_' . ++$turn;
		ask($session, "SELECT kafka.subscribe('bench_poll', '$group', start => 'earliest', consumer => 'bench')");
		my $took = statement($session, sprintf($POLL_ALL, $messages))->();
		ask($session, "SELECT kafka.close_consumer('bench')");
		return $took;
	};
}

sub kcat_group
{
	my ($messages) = @_;
	return sub {
		my $group = 'bench_kcat_' . ++$turn;
		return program("kcat -C -b $brokers -G $group -X auto.offset.reset=earliest -c $messages -q "
			. 'bench_poll >/dev/null')->();
	};
}

sub polls
{
	my ($session) = @_;
	my $took = interleaved(poll => poll_all($session, $opt{messages}), kcat => kcat_group($opt{messages}));
	line("$_: CPU, wall", sprintf('%.0f, %.0f ms', @{ $took->{$_} }{qw(cpu wall)}), '') for qw(poll kcat);
	line('poll of 10,000 at a time: CPU against kcat -C -G', sprintf('%.2f', $took->{poll}{cpu} / $took->{kcat}{cpu}),
		'at most 1.6');
}

# The time that a statement takes, over psql's pipe, in ms.
sub took_ms
{
	my ($session, $sql) = @_;
	my $begin = time;
	ask($session, $sql);
	return (time - $begin) * 1000;
}

sub first
{
	my ($session) = @_;
	my @times;
	for my $i (1 .. 50)
	{
		ask($session, "SELECT kafka.assign('bench_poll', ARRAY[0], '" . $i * 100 . "', consumer => 'first')");
		push @times, took_ms($session, "SELECT count(*) FROM kafka.poll(1, '10s', 'first')");
	}
	ask($session, "SELECT kafka.close_consumer('first')");
	line('first poll after kafka.assign at an offset: median, p99',
		sprintf('%.1f, %.1f ms', median(@times), percentile(99, @times)), 'at most 20 ms');
}

# One message in, one transaction.
sub cycles
{
	my ($session) = @_;
	ask($session, "SELECT kafka.create_topic('bench_out', 1)");
	my %sql = (
		kafka => "SELECT count(*) FROM kafka.poll(1, '10s', 'cycle')",
		postgres => "SELECT count(*) FROM kafka.poll(1, '10s', 'cycle')",
		transaction => "SELECT count(kafka.produce('bench_out', m.value)) FROM kafka.poll_text(1, '10s', 'cycle') m");
	for my $offsets (sort keys %sql)
	{
		ask($session, "SELECT kafka.subscribe('bench_poll', 'bench_$offsets', '$offsets', 'earliest', consumer => 'cycle')");
		ask($session, $sql{$offsets}) for 1 .. 10;
		my @times = map { took_ms($session, $sql{$offsets}) } 1 .. 500;
		ask($session, "SELECT kafka.close_consumer('cycle')");
		line("one message polled and committed, offsets => '$offsets': p50, p99",
			sprintf('%.2f, %.2f ms', median(@times), percentile(99, @times)), '');
	}
}

sub admin
{
	my ($session) = @_;
	ask($session, "SELECT kafka.create_topic('bench_topic_' || i, 1) FROM generate_series(1, $opt{topics}) i");
	my @times = map { took_ms($session, 'SELECT count(*) FROM kafka.list_topics()') } 1 .. 11;
	line("kafka.list_topics, $opt{topics} topics", sprintf('%.0f ms', median(@times)), 'under 1 s');
	ask($session, "SELECT kafka.create_topic('bench_wide', 1000)");
	ask($session, "SELECT kafka.begin_transaction('bench_lag'); SELECT kafka.send_offsets_to_transaction('bench_lag_group', "
		. "array_agg(ROW('bench_wide', p, 0, NULL)::kafka.topic_partition)) FROM generate_series(0, 999) p; "
		. 'SELECT kafka.commit_transaction()');
	ask($session, "SELECT count(*) FROM kafka.consumer_lag('bench_lag_group')");
	my $requests = sub { return 0 + ask($session, 'SELECT requests FROM kafka.client_stats') };
	my $before = $requests->();
	ask($session, "SELECT count(*) FROM kafka.consumer_lag('bench_lag_group')");
	my $made = $requests->() - $before;
	@times = map { took_ms($session, "SELECT count(*) FROM kafka.consumer_lag('bench_lag_group')") } 1 .. 11;
	line('kafka.consumer_lag of 1,000 partitions', sprintf('%.0f ms', median(@times)), '');
	line('its requests', $made, 'at most 3');
}

# Fills a topic through one transaction after the other and polls it at the same time; RSS.
sub growth
{
	my $session = session();
	my $pid = $session->{backend};
	ask($session, "SELECT kafka.subscribe('bench_poll', 'bench_growth', start => 'earliest', consumer => 'bench')");
	ask($session, "SELECT count(*) FROM kafka.poll(10000, '10s', 'bench')") for 1 .. 5;
	my $before = status($pid, 'VmRSS') / 1024;
	ask($session, "SELECT count(*) FROM kafka.poll(10000, '10s', 'bench')") for 1 .. int($opt{messages} / 10000) - 5;
	line('RSS after 50,000 messages, and at the end', sprintf('%.1f, %.1f MB', $before, status($pid, 'VmRSS') / 1024), 'the same');
	finish($session);
}

sub run
{
	my ($session) = @_;
	fill($session, 'bench_poll', $opt{messages}, \&value_100);
	polls($session) if wanted('polls');
	first($session) if wanted('first');
	cycles($session) if wanted('cycles');
	growth() if wanted('growth');
	admin($session) if wanted('admin');
}

1;
