# The stand of test/faults/pipeline: what the rounds' pipelines have in common.
package Pipeline::Stand;

use strict;
use warnings;
use Carp qw(croak);
use KafkaFdwTest;
use Stand;

our @ISA = qw(Stand);

sub set_up
{
	my ($self) = @_;
	$self->node->safe_psql('postgres', <<'SQL');
		CREATE TABLE kind_row (kind int PRIMARY KEY);
		INSERT INTO kind_row SELECT generate_series(0, 9);
		CREATE TABLE kept_dead (round int, partition int, "offset" bigint);
		CREATE FUNCTION refuse_kinds() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
		  IF NEW.kind > 9 THEN
		    RAISE 'there is no kind %', NEW.kind;
		  END IF;
		  RETURN NEW;
		END $$;
SQL
	return;
}

# Without workers, as often as a worker would look.
sub run_on
{
	my ($self, $node) = @_;
	$self->loop($node, "SELECT format('CALL kafka.run_pipeline(%L)', name) FROM kafka.pipeline_definition ORDER BY name DESC \\gexec")
		if $self->{foreground};
	return;
}

# What lets workers run a pipeline.
sub start_sql
{
	my ($self, $name) = @_;
	return $self->{foreground} ? 'SELECT' : "SELECT kafka.start_pipeline('$name')";
}

# A process that runs the pipeline of that name.
sub pipeline_pid
{
	my ($self, $name) = @_;
	return $self->loop_pid if $self->{foreground};
	return $self->sql("SELECT pid FROM kafka.workers WHERE pipeline = '$name' AND pid IS NOT NULL ORDER BY random() LIMIT 1");
}

sub pipeline_pids
{
	my ($self, $name) = @_;
	return grep { $_ } $self->loop_pid if $self->{foreground};
	return split /\n/, $self->sql("SELECT pid FROM kafka.workers WHERE pipeline = '$name' AND pid IS NOT NULL") // '';
}

1;
