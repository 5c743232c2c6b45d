# The sessions that write in the rounds of test/faults/relay: pgbench with 16 clients. Each row
# is written three times in one transaction: the key's counter (which locks the key), the ledger
# (which is the truth), and the outbox. What a transaction does besides is one of SCRIPTS.
package Relay::Writers;

use strict;
use warnings;
use POSIX qw(WNOHANG ceil);
use Time::HiRes qw(time);

my $CLIENTS = 16;

# Transactions a second, of all of them.
my $RATE = 300;

# Keys: 1 to 20 are hot, 101 to 140 those of prepared transactions that stay, 201 to 216 those of
# long transactions, one for each client; 300 is that of Relay::Stand::last_row. Hot ones are locked in ascending order.
my %SCRIPTS = (
	one => [ 10, <<'SQL' ],
\set k random(1, 20)
SELECT put(:k);
SQL
	three => [ 4, <<'SQL' ],
\set a random(1, 7)
\set b random(8, 14)
\set c random(15, 20)
BEGIN;
SELECT put(:a), put(:b);
SELECT put(:c);
COMMIT;
SQL
	savepoints => [ 4, <<'SQL' ],
\set a random(1, 5)
\set b random(6, 10)
\set c random(11, 15)
\set d random(16, 20)
BEGIN;
SAVEPOINT one;
SELECT put(:a);
SAVEPOINT two;
SELECT put(:b);
ROLLBACK TO two;
SELECT put(:c);
RELEASE one;
SELECT put_and_fail(:c), put(:d);
COMMIT;
SQL
	rollback => [ 2, <<'SQL' ],
\set a random(1, 10)
\set b random(11, 20)
BEGIN;
SELECT put(:a), put(:b);
ROLLBACK;
SQL
	prepared => [ 2, <<'SQL' ],
\set a random(1, 10)
\set b random(11, 20)
\set g random(1, 1000000000)
\set ms random(1, 60)
BEGIN;
SELECT put(:a), put(:b);
PREPARE TRANSACTION 'p:client_id.:g';
\sleep :ms ms
\if :ms > 20
COMMIT PREPARED 'p:client_id.:g';
\else
ROLLBACK PREPARED 'p:client_id.:g';
\endif
SQL
	prepared_stays => [ 1, <<'SQL' ],
\set k random(101, 140)
\set g random(1, 1000000000)
BEGIN;
SELECT put_if_free(:k);
PREPARE TRANSACTION 'q:client_id.:g';
SQL
	long => [ 1, <<'SQL' ],
\set k 201 + :client_id
\set h random(1, 20)
\set ms random(300, 1500)
BEGIN;
SELECT put(:k);
\sleep :ms ms
SELECT put(:k);
SELECT put(:h);
COMMIT;
SQL
);

my $SCHEMA = <<'SQL';
CREATE TABLE key_row (k int PRIMARY KEY, n bigint NOT NULL DEFAULT 0) WITH (fillfactor = 30);
INSERT INTO key_row (k) SELECT i FROM generate_series(1, 20) i;
INSERT INTO key_row (k) SELECT i FROM generate_series(101, 140) i;
INSERT INTO key_row (k) SELECT i FROM generate_series(201, 216) i;
INSERT INTO key_row (k) VALUES (300);
CREATE TABLE ledger (round int, id uuid, k int, n bigint);
CREATE INDEX ON ledger (round);
CREATE TABLE round_now (round int, topic text);
INSERT INTO round_now VALUES (0, 'none');
CREATE FOREIGN TABLE event (key text OPTIONS (meta 'key'), id uuid, k int, n bigint)
  SERVER kafka OPTIONS (topic 'none', format 'json', delivery 'DELIVERY');

CREATE FUNCTION put(key int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  now_ round_now;
  number bigint;
  new_id uuid := gen_random_uuid();
BEGIN
  UPDATE key_row SET n = n + 1 WHERE k = key RETURNING n INTO number;
  SELECT * INTO now_ FROM round_now;
  INSERT INTO ledger VALUES (now_.round, new_id, key, number);
  IF number % 3 = 0 THEN
    PERFORM kafka.produce(now_.topic, json_build_object('id', new_id, 'k', key, 'n', number),
      key::text, delivery => 'DELIVERY', server => 'kafka');
  ELSE
    INSERT INTO event (key, id, k, n) VALUES (key::text, new_id, key, number);
  END IF;
END $$;

CREATE FUNCTION put_if_free(key int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM key_row WHERE k = key FOR UPDATE SKIP LOCKED;
  IF FOUND THEN
    PERFORM put(key);
  END IF;
END $$;

CREATE FUNCTION put_and_fail(key int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM put(key);
  RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
  NULL;
END $$;
SQL

sub schema { my ($delivery) = @_; return $SCHEMA =~ s/DELIVERY/$delivery/gr; }

# new(dir => where files go, seed => ..., delivery => 'outbox')
sub new
{
	my ($class, %args) = @_;
	my $self = bless {%args}, $class;
	for my $name (keys %SCRIPTS)
	{
		open my $fh, '>', "$args{dir}/$name.sql" or die "$args{dir}/$name.sql: $!\n";
		print {$fh} $SCRIPTS{$name}[1];
		close $fh;
	}
	return $self;
}

# Writes on a node for some seconds from now; does not wait.
sub begin
{
	my ($self, $node, $seconds) = @_;
	$self->{node} = $node;
	$self->{until} = time + $seconds;
	$self->_launch;
	return;
}

sub _launch
{
	my ($self) = @_;
	my $seconds = ceil($self->{until} - time);
	return if $seconds < 1;
	my @scripts = grep { $self->{delivery} eq 'outbox' || !/prepared/ } sort keys %SCRIPTS;
	my @command = ($self->{node}->installed_command('pgbench'), '-n', '-c', $CLIENTS, '-j', 2, '-T', $seconds, '-R', $RATE,
		'--random-seed=' . $self->{seed}++, (map { ('-f', "$self->{dir}/$_.sql\@$SCRIPTS{$_}[0]") } @scripts),
		$self->{node}->connstr('postgres'));
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0)
	{
		$ENV{PGAPPNAME} = 'pgbench';
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', "$self->{dir}/pgbench.log";
		open STDERR, '>&', \*STDOUT;
		exec @command or POSIX::_exit(127);
	}
	$self->{pid} = $pid;
	return;
}

# Are there any? Those that have lost their server begin anew while it is their time.
sub alive
{
	my ($self) = @_;
	if ($self->{pid} && waitpid($self->{pid}, WNOHANG) == $self->{pid})
	{
		delete $self->{pid};
		$self->{pause} = time + 0.3;
	}
	$self->_launch if !$self->{pid} && $self->{until} && time < $self->{until} - 0.5 && time > $self->{pause};
	return $self->{pid} || ($self->{until} && time < $self->{until} - 0.5);
}

# Ends them at once.
sub stop
{
	my ($self) = @_;
	$self->{until} = 0;
	my $pid = delete $self->{pid} or return;
	kill 'KILL', $pid;
	waitpid $pid, 0;
	return;
}

1;
