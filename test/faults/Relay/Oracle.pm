# What a reader of Kafka has seen, compared with what PostgreSQL has committed. The reader is
# kcat, not our own scan.
package Relay::Oracle;

use strict;
use warnings;
use IPC::Run ();
use JSON::PP ();

# Messages of a topic in the order of each partition: [partition, offset, key, value as a hash].
sub messages
{
	my ($bootstrap, $topic, $isolation) = @_;
	my ($out, $error) = ('', '');
	my @command = (qw(kcat -C -e -q -o beginning -f), "%p\t%o\t%k\t%s\n", '-b', $bootstrap, '-t', $topic,
		'-X', 'fetch.wait.max.ms=10', '-X', 'isolation.level=' . ($isolation // 'read_committed'));
	IPC::Run::run(\@command, '<', \undef, '>', \$out, '2>', \$error, IPC::Run::timeout(30)) or die "@command: $error\n";
	my @messages;
	for my $line (split /\n/, $out)
	{
		my ($partition, $offset, $key, $value) = split /\t/, $line, 4;
		push @messages, [ $partition, $offset, $key, JSON::PP::decode_json($value) ];
	}
	return \@messages;
}

# compare({id => [key, number]} of the ledger, messages): for each of lost, duplicated, reordered
# and ghosts a list of texts, and the ids they are about.
#
# A key is in order if the numbers of its rows ascend; of a row that is there twice the first
# message counts, and ghosts count for nothing. A key in two partitions has no order.
sub compare
{
	my ($truth, $messages) = @_;
	my (%seen, %last, %partition);
	my $found = { rows => scalar keys %$truth, messages => scalar @$messages,
		map { $_ => [] } qw(lost duplicated reordered ghosts) };
	my $note = sub { my ($what, $id, $text) = @_; push @{ $found->{$what} }, [ $id, $text ]; };
	for my $message (@$messages)
	{
		my ($partition, $offset, $key, $value) = @$message;
		my ($id, $where) = ($value->{id} // 'none', "$partition/$offset");
		my $row = $truth->{$id};
		if (!$row || $row->[0] ne $key || $row->[0] != $value->{k} || $row->[1] != $value->{n})
		{
			$note->('ghosts', $id, "$where: key $key, number " . ($value->{n} // '') . ', id ' . $id);
			next;
		}
		if ($seen{$id})
		{
			$note->('duplicated', $id, "$where: key $key, number $row->[1], id $id, first at $seen{$id}");
			next;
		}
		$seen{$id} = $where;
		$partition{$key} //= $partition;
		$note->('reordered', $id, "$where: key $key is also in partition $partition{$key}") if $partition{$key} != $partition;
		$note->('reordered', $id, "$where: key $key, number $row->[1] after $last{$key}")
			if defined $last{$key} && $row->[1] < $last{$key};
		$last{$key} = $row->[1];
	}
	for my $id (sort grep { !$seen{$_} } keys %$truth)
	{
		$note->('lost', $id, "key $truth->{$id}[0], number $truth->{$id}[1], id $id");
	}
	return $found;
}

# Falsifies a topic or its ledger, in the ways of %Rounds::SABOTAGES.
sub sabotage
{
	my ($node, $how, $round, $topic) = @_;
	my $send = "kafka.produce('$topic', json_build_object('id', id, 'k', k, 'n', n), k::text, delivery => 'immediate', server => 'direct')";
	my %sql = (
		lose => "INSERT INTO ledger VALUES ($round, gen_random_uuid(), 1, 1000000)",
		duplicate => "SELECT $send FROM (SELECT * FROM ledger WHERE round = $round LIMIT 1) AS row",
		reorder => "WITH new AS MATERIALIZED (SELECT gen_random_uuid() AS id, 999 AS k, n FROM generate_series(1, 2) AS n),
			kept AS (INSERT INTO ledger SELECT $round, id, k, n FROM new)
			SELECT $send FROM (SELECT * FROM new ORDER BY n DESC) AS row",
		ghost => "SELECT $send FROM (SELECT gen_random_uuid() AS id, 1 AS k, 1000000 AS n) AS row");
	$node->safe_psql('postgres', $sql{$how} // die "no sabotage called $how\n");
	return;
}

1;
