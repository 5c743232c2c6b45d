# What a pipeline has made of a topic, compared with what a reader of Kafka sees there. The reader
# is kcat, not our own scan.
package Pipeline::Oracle;

use strict;
use warnings;
use IPC::Run ();

# The messages of a topic as a read_committed reader sees them: {"partition/offset" => key}.
sub messages
{
	my ($bootstrap, $topic) = @_;
	my ($out, $error) = ('', '');
	my @command = (qw(kcat -C -e -q -o beginning -f), "%p/%o %k\n", '-b', $bootstrap, '-t', $topic,
		'-X', 'fetch.wait.max.ms=10', '-X', 'isolation.level=read_committed');
	IPC::Run::run(\@command, '<', \undef, '>', \$out, '2>', \$error, IPC::Run::timeout(30)) or die "@command: $error\n";
	return { map { split / /, $_, 2 } split /\n/, $out };
}

# Their keys say which no target takes.
sub is_poison { my ($key) = @_; return $key =~ /-poison$/; }

# compare(messages, rows in the order they were loaded in: ["partition/offset", id], dead letters:
# ["partition/offset"], on_error, where): for each of lost, duplicated, reordered and ghosts a list
# of texts, and the positions they are about.
#
# A partition is in order if its offsets ascend; of a message that is there twice the first row
# counts, and ghosts count for nothing.
sub compare
{
	my ($messages, $rows, $dead, $on_error, $where) = @_;
	my (%seen, %last);
	my $found = { rows => scalar @$rows, map { $_ => [] } qw(lost duplicated reordered ghosts) };
	my $note = sub { my ($what, $position, $text) = @_; push @{ $found->{$what} }, [ $position, "$where$position: $text" ]; };
	for my $row (@$rows)
	{
		my ($position, $id) = @$row;
		my $key = $messages->{$position};
		if (!defined $key || is_poison($key) || $key ne $id)
		{
			$note->('ghosts', $position, "row of $id, message " . ($key // 'none'));
			next;
		}
		if ($seen{$position}++)
		{
			$note->('duplicated', $position, "another row of $id");
			next;
		}
		my ($partition, $offset) = split m{/}, $position;
		$note->('reordered', $position, "$id after offset $last{$partition}")
			if defined $last{$partition} && $offset < $last{$partition};
		$last{$partition} = $offset;
	}
	for my $position (@$dead)
	{
		my $key = $messages->{$position};
		if (!defined $key || $on_error ne 'dead_letter') { $note->('ghosts', $position, 'a dead letter, message ' . ($key // 'none')); }
		elsif ($seen{$position}++) { $note->('duplicated', $position, "a dead letter of $key, which was there"); }
		# else a good message has become one: its row is lost, and told below
		elsif (!is_poison($key)) { $seen{$position} = 0; }
	}
	for my $position (sort grep { !$seen{$_} } keys %$messages)
	{
		my $key = $messages->{$position};
		$note->('lost', $position, is_poison($key) ? "no dead letter of $key" : "no row of $key")
			if !is_poison($key) || $on_error eq 'dead_letter';
	}
	return $found;
}

# Falsifies a target, in the ways of %Rounds::SABOTAGES; each of them about other rows, so that they
# can follow one another.
sub sabotage
{
	my ($node, $how, $target) = @_;
	my $two = "SELECT a.loaded AS l, b.loaded AS m FROM $target a JOIN LATERAL
		(SELECT loaded FROM $target b WHERE b.part = a.part AND b.loaded > a.loaded ORDER BY loaded LIMIT 1) b ON true
		ORDER BY a.loaded OFFSET 20 LIMIT 1";
	my %sql = (
		lose => "DELETE FROM $target WHERE loaded = (SELECT loaded FROM $target ORDER BY loaded OFFSET 10 LIMIT 1)",
		duplicate => "INSERT INTO $target (part, offs, id, n, kind) SELECT part, offs, id, n, kind FROM $target ORDER BY loaded LIMIT 1",
		reorder => "UPDATE $target t SET loaded = s.l + s.m - loaded FROM ($two) s WHERE t.loaded IN (s.l, s.m)",
		ghost => "INSERT INTO $target (part, offs, id, n, kind) SELECT 0, 1000000, 'ghost', 1, 1");
	$node->safe_psql('postgres', $sql{$how});
	return;
}

1;
