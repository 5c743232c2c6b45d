# The rounds of test/faults/pipeline: in each, producers write into a topic while one fault strikes;
# when all is well again and kafka.wait_for_pipeline returns, the target of the round's pipeline
# and its dead letters are compared with the topic. So is what copies of the server have made of it.
package Pipeline::Rounds;

use strict;
use warnings;
use Pipeline::Kinds;
use Pipeline::Stand;
use Rounds;

our @ISA = qw(Rounds);

our @TARGETS = qw(plain trigger key partitioned handler);

sub kinds { return 'Pipeline::Kinds'; }
sub make_round { return bless {}, 'Pipeline::Round'; }

sub make_stand
{
	my ($self) = @_;
	return Pipeline::Stand->new(map { ($_ => $self->{$_}) } qw(nodes proxied foreground));
}

sub new
{
	my ($class, %args) = @_;
	my @targets = split /,/, $args{targets} // join ',', @TARGETS;
	for my $target (@targets)
	{
		die "there is no target $target\n" unless grep { $_ eq $target } @TARGETS;
	}
	return $class->SUPER::new(%args, targets => \@targets);
}

sub possible
{
	my ($self, $kind) = @_;
	my $facts = $self->kinds->facts($kind);
	return 0 if $facts->{small_disk} && !$ENV{FAULTS_SMALL_DISK} || $facts->{workers} && $self->{foreground};
	return $self->SUPER::possible($kind);
}

# A pipeline runs through the next round, too; then its target is looked at once more.
sub judged
{
	my ($self, $round) = @_;
	$self->finish;
	$round->forget_copies;
	$self->{before} = $round;
	return;
}

sub forget { my ($self) = @_; delete $self->{before}; return; }

sub finish
{
	my ($self) = @_;
	my $before = $self->{before} or return;
	my %was = map { ($_ => scalar @{ $before->{found}{$_} }) } @Rounds::VERDICTS;
	$before->judge;
	for my $what (@Rounds::VERDICTS)
	{
		my $more = @{ $before->{found}{$what} } - $was{$what} or next;
		$self->{sum}{$what} += abs $more;
		$self->{report}->("      round $before->{number} ($before->{kind}): $more more $what later");
	}
	$before->drop unless $before == $self->{last};
	return;
}

package Pipeline::Round;

use Carp qw(croak);
use Time::HiRes qw(sleep time);
use KafkaFdwTest;
use Pipeline::Oracle;
use Pipeline::Producers;

our @ISA = qw(Rounds::Round);

my $PARTITIONS = 4;

# Partitions that a partitioned target has room for.
my $MOST_PARTITIONS = 8;

sub what
{
	my ($self) = @_;
	return sprintf '%-11s %d workers, batch %5d %5s, %-11s %s, poison %d', @{$self}{qw(target_kind parallelism batch interval on_error)},
		$self->{transactional} ? 'transactions' : 'plain', $self->{poison};
}

sub some { return $_[ rand @_ ]; }

sub name { my ($self) = @_; return "p_$self->{number}"; }
sub target { my ($self) = @_; return "target_$self->{number}"; }
sub handler { my ($self) = @_; return "handle_$self->{number}"; }
sub facts { my ($self) = @_; return Pipeline::Kinds->facts($self->{kind}); }

sub choose
{
	my ($self) = @_;
	$self->{target_kind} = some(@{ $self->{rounds}{targets} });
	$self->{parallelism} = some(1, 2);
	$self->{batch} = some(3, 20, 200, 20000);
	$self->{interval} = some('0', '100ms', '300ms', '1s');
	$self->{poison} = some(0, 2, 20);
	$self->{transactional} = some(0, 1);
	$self->{rate} = $self->{batch} < 100 ? 300 : some(300, 2000);
	$self->{on_error} = some(qw(dead_letter dead_letter dead_letter skip));
	%$self = (%$self, %{ $self->facts->{chosen} // {} });
	my $writers = $self->{writers};
	%$writers = (%$writers, map { ($_ => $self->{$_}) } qw(poison transactional rate));
	$self->{places} = [ {} ];
	return;
}

sub make_writers
{
	my ($self) = @_;
	my $rounds = $self->{rounds};
	return Pipeline::Producers->new(dir => $rounds->{dir}, seed => $rounds->{seed} + 1000 * $self->{number},
		bootstrap => $self->stand->broker->bootstrap, topic => $self->topic, partitions => $PARTITIONS);
}

# --- the pipeline

# The kind's target, and a handler that fills the same.
sub _target_sql
{
	my ($self) = @_;
	my ($number, $target, $handler, $kind) = ($self->number, $self->target, $self->handler, $self->{target_kind});
	my %checks = (key => 'REFERENCES kind_row' . some('', ' DEFERRABLE INITIALLY DEFERRED'), trigger => '');
	my $check = $checks{$kind} // 'CHECK (kind < 10)';
	my $partitioned = $kind eq 'partitioned' ? 'PARTITION BY LIST (part)' : '';
	my @more;
	push @more, map { "CREATE TABLE ${target}_$_ PARTITION OF $target FOR VALUES IN ($_);" } 0 .. $MOST_PARTITIONS - 1
		if $partitioned;
	push @more, "CREATE TRIGGER refuse BEFORE INSERT ON $target FOR EACH ROW EXECUTE FUNCTION refuse_kinds();" if $kind eq 'trigger';
	return <<"SQL";
		CREATE TABLE $target (loaded bigserial, part int NOT NULL, offs bigint NOT NULL, id text NOT NULL,
		  n int NOT NULL CHECK (n >= 0), kind int NOT NULL $check, pad text) $partitioned;
		@more
		CREATE FUNCTION $handler(messages kafka.message[]) RETURNS void LANGUAGE plpgsql AS \$\$
		BEGIN
		  INSERT INTO $target (part, offs, id, n, kind, pad)
		    SELECT partition, "offset", v ->> 'id', (v ->> 'n')::int, (v ->> 'kind')::int, v ->> 'pad'
		    FROM unnest(messages) WITH ORDINALITY AS m, LATERAL (SELECT convert_from(m.value, 'UTF8')::jsonb AS v) AS j
		    ORDER BY ordinality;
		END \$\$;
		CREATE FOREIGN TABLE source_$number (part int OPTIONS (meta 'partition'), offs bigint OPTIONS (meta 'offset'),
		  id text, n int, kind int, pad text) SERVER kafka OPTIONS (topic '@{[ $self->topic ]}', format 'json');
SQL
}

# What makes the pipeline, where it is to start.
sub create_sql
{
	my ($self, $start) = @_;
	my $to = $self->{target_kind} eq 'handler' ? $self->to_handler : $self->to_target;
	return sprintf 'SELECT kafka.create_pipeline(\'%s\', \'source_%d\', %s, on_error => \'%s\', start => %s,
		batch_rows => %d, batch_interval => \'%s\', parallelism => %d)', $self->name, $self->number, $to, $self->{on_error}, $start,
		@{$self}{qw(batch interval parallelism)};
}

sub to_target { my ($self) = @_; return "target => '" . $self->target . '\''; }
sub to_handler { my ($self) = @_; return "handler => '" . $self->handler . '(kafka.message[])\''; }

sub set_up
{
	my ($self) = @_;
	my $stand = $self->stand;
	$stand->must("SELECT kafka.create_topic('@{[ $self->topic ]}', $PARTITIONS, server => 'direct')", seconds => 30);
	$stand->must($self->_target_sql . $self->create_sql("'earliest'") . ';' . $stand->start_sql($self->name), seconds => 30);
	return;
}

# It and its things are dropped; its topic stays.
sub drop
{
	my ($self) = @_;
	my ($number, $target, $handler, $name) = ($self->number, $self->target, $self->handler, $self->name);
	$self->stand->must("SELECT kafka.drop_pipeline('$name', force => true);
		DROP TABLE $target; DROP FUNCTION $handler; DROP FOREIGN TABLE source_$number", seconds => 30);
	return;
}

# --- where it runs

# also(node => ..., database => ...): a copy, which has each message once, too.
sub also { my ($self, %place) = @_; push @{ $self->{places} }, \%place; return; }

# No copy of the server is looked at any longer; databases are dropped.
sub forget_copies
{
	my ($self) = @_;
	for my $place (@{ $self->{places} })
	{
		$self->stand->must("DROP DATABASE $place->{database} WITH (FORCE)", seconds => 60) if $place->{database};
	}
	$self->{places} = [ {} ];
	return;
}

# --- the end

# Where on_error is stop: an operator goes past the message that failed.
sub tick
{
	my ($self) = @_;
	return unless $self->{on_error} eq 'stop';
	return if time < ($self->{looked} // 0) + 0.1;
	$self->{looked} = time;
	$self->_pass_poison({}) if $self->stand->node->{_pid};
	return;
}

sub _pass_poison
{
	my ($self, $place) = @_;
	my $name = $self->name;
	my $failed = $self->stand->sql("SELECT partition, \"offset\", sqlstate, error FROM kafka.pipeline_state s JOIN kafka.pipeline_definition d
		ON d.id = s.pipeline WHERE d.name = '$name' AND state = 'failed'", %$place) or return 0;
	my ($partition, $offset, $sqlstate, $error) = split /\|/, $failed, 4;
	croak "failed, without a message: $sqlstate $error" unless $offset =~ /^\d+$/;
	$self->{passed}{"$partition/$offset"} = 1;
	$self->stand->must('SELECT kafka.seek_pipeline(\'' . $name . '\', \'' . ($offset + 1) . "', $partition)", %$place);
	$self->stand->must($self->stand->start_sql($name), %$place);
	return 1;
}

# How it is, for people.
sub _state
{
	my ($self, $place) = @_;
	return $self->stand->sql('SELECT concat_ws(\' \', state, sqlstate, error, detail) FROM kafka.pipeline_state s JOIN kafka.pipeline_definition d
		ON d.id = s.pipeline WHERE d.name = \'' . $self->name . '\'', %$place) // $self->stand->error;
}

sub _wait
{
	my ($self, $place) = @_;
	my $stand = $self->stand;
	my $name = $self->name;
	my $deadline = time + ($self->{rounds}{deadline} // $Rounds::DEADLINE_S);
	while (1)
	{
		my $left = int($deadline - time) + 1;
		return if defined $stand->sql("SELECT kafka.wait_for_pipeline('$name', '$left s')", %$place, seconds => $left + 20);
		my $error = $stand->error;
		# the server went down only now, or Kafka is not quite there
		my $again = $error =~ /server closed the connection|terminat|starting up|recovery|shutting down|could not connect|connection to server|broker|timed out|transport/i
			&& $error !~ /in time/;
		$again ||= $self->{on_error} eq 'stop' && $self->_pass_poison($place);
		croak "$error: " . $self->_state($place) if !$again || time > $deadline;
		sleep 0.1;
	}
	return;
}

sub verify
{
	my ($self) = @_;
	$self->_wait($_) for @{ $self->{places} };
	$self->perhaps_sabotage;
	$self->judge;
	return;
}

sub sabotage
{
	my ($self, $how) = @_;
	Pipeline::Oracle::sabotage($self->stand->node, $how, $self->target);
	return;
}

sub judge
{
	my ($self) = @_;
	my $messages = Pipeline::Oracle::messages($self->stand->broker->bootstrap, $self->topic);
	my %all;
	for my $place (@{ $self->{places} })
	{
		my $where = join ' ', map { ref $place->{$_} ? $place->{$_}->name : $place->{$_} } sort keys %$place;
		my $found = Pipeline::Oracle::compare($messages, $self->_rows($place), $self->_dead_letters($place), $self->{on_error}, $where ? "$where " : '');
		$all{rows} //= $found->{rows};
		push @{ $all{$_} }, @{ $found->{$_} } for @Rounds::VERDICTS;
	}
	$self->{found} = \%all;
	return;
}

sub _rows
{
	my ($self, $place) = @_;
	my $rows = $self->stand->must('SELECT part || \'/\' || offs, id FROM ' . $self->target . ' ORDER BY loaded', %$place, seconds => 60);
	return [ map { [ split /\|/ ] } split /\n/, $rows ];
}

# Those of pipelines that were dropped in the round, too.
sub _dead_letters
{
	my ($self, $place) = @_;
	my $rows = $self->stand->must('SELECT l.partition || \'/\' || l."offset" FROM kafka.dead_letter l JOIN kafka.pipeline_definition d ON d.id = l.pipeline
		WHERE d.name = \'' . $self->name . '\' UNION ALL SELECT partition || \'/\' || "offset" FROM kept_dead WHERE round = ' . $self->number, %$place);
	return [ split /\n/, $rows ];
}

# --- what is kept of a round that went wrong

sub dumps
{
	my ($self) = @_;
	return {
		definitions => 'SELECT * FROM kafka.pipeline_definition',
		states => 'SELECT * FROM kafka.pipeline_state',
		offsets => 'SELECT * FROM kafka.pipeline_offset ORDER BY pipeline, partition',
		workers => 'SELECT * FROM kafka.workers',
		dead_letters => 'SELECT * FROM kafka.dead_letter ORDER BY id',
		rows => 'SELECT xmin, * FROM ' . $self->target . ' ORDER BY loaded',
		activity => 'SELECT * FROM pg_stat_activity',
		locks => 'SELECT * FROM pg_locks' };
}

sub keep_more
{
	my ($self, $dir) = @_;
	$self->keep_topic("$dir/topic", $self->topic);
	return;
}

1;
