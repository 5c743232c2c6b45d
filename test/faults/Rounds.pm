# The rounds of test/faults/relay: in each, sessions write while one fault strikes; when all is
# well again and the outbox is empty, what a reader of Kafka sees is compared with what
# PostgreSQL has committed.
#
#   my $rounds = Rounds->new(rounds => 5, seed => 1, report => sub { ... });
#   $rounds->run;                       # false if something was wrong
#   $rounds->end;
package Rounds;

use strict;
use warnings;
use Carp qw(croak);
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use IPC::Run ();
use List::Util qw(shuffle sum0);
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep time);
use Kinds;
use KafkaFdwTest;
use KafkaFdwFaults;
use Oracle;
use Stand;
use Writers;

# Seconds: how long sessions write in a round, and how long all may take to be well again.
our $WRITE_S = 3;
our $DEADLINE_S = 60;

my @VERDICTS = qw(lost duplicated reordered ghosts);

# new(rounds => 20, first => 1, seed => N, kinds => 'a,b', nodes => 1, sabotage => 'lose',
# keep => 1, report => sub (text))
sub new
{
	my ($class, %args) = @_;
	my $self = bless { first => 1, nodes => 1, delivery => 'outbox', report => sub { }, sum => {}, struck => {}, %args }, $class;
	$self->{sum}{$_} = 0 for @VERDICTS, qw(stuck hanging);
	$self->{proxied} = IPC::Run::run([ abs_path(dirname(__FILE__) . '/../broker/proxy'), 'path' ], '>', '/dev/null', '2>', '/dev/null');
	my @kinds = Kinds::chosen($args{kinds});
	@kinds = grep { $self->{proxied} || !Kinds::needs_proxy($_) } @kinds;
	die "without a fault proxy there is nothing to do\n" unless @kinds;
	$self->{kinds} = \@kinds;
	$self->{dir} = PostgreSQL::Test::Utils::tempdir('writers');
	$self->{results} = $ENV{FAULTS_RESULTS} // "$self->{dir}/results";
	$self->{unsettled} = [];
	return $self;
}

sub stand
{
	my ($self) = @_;
	return $self->{stand} //=
		Stand->new(nodes => $self->{nodes}, delivery => $self->{delivery}, proxied => $self->{proxied},
			foreground => $self->{foreground});
}

# Each kind comes once before one comes again.
sub _deck
{
	my ($self) = @_;
	my $last = $self->{first} + $self->{rounds} - 1;
	srand $self->{seed};
	my @deck;
	push @deck, shuffle @{ $self->{kinds} } while @deck < $last;
	return @deck[ $self->{first} - 1 .. $last - 1 ];
}

sub run
{
	my ($self) = @_;
	$self->{report}->("seed $self->{seed}");
	my $number = $self->{first};
	for my $kind ($self->_deck)
	{
		srand $self->{seed} + $number;
		$self->_round($number++, $kind);
	}
	$self->_late($_) for splice @{ $self->{done} };
	$self->_summary;
	return !$self->failed;
}

sub failed { my ($self) = @_; return sum0 @{ $self->{sum} }{ @VERDICTS, 'stuck' }; }

sub end
{
	my ($self) = @_;
	$self->{stand}->end if $self->{stand};
	delete $self->{stand};
	return;
}

sub _summary
{
	my ($self) = @_;
	my $count = $self->{struck};
	$self->{report}->("seed $self->{seed}, $self->{rounds} rounds: " . join ', ', map { "$_ $count->{$_}" } sort keys %$count);
	$self->{report}->(join '  ', map { "$_ $self->{sum}{$_}" } @VERDICTS, 'stuck');
	$self->{report}->("$self->{sum}{hanging} rounds with a Kafka transaction that its broker forgot to end") if $self->{sum}{hanging};
	return;
}

# Falsifies the last round; how many more are lost, duplicated, reordered and ghosts then.
sub sabotaged
{
	my ($self, $how) = @_;
	my $last = $self->{last} or croak 'there was no round';
	my $stand = $self->stand;
	Oracle::sabotage($stand->node, $how, $last->number, $last->topic);
	my $found = Oracle::compare($stand->ledger($last->number), $last->messages);
	my %more = map { ($_ => @{ $found->{$_} } - @{ $last->{found}{$_} }) } @VERDICTS;
	$last->{found} = $found;
	return \%more;
}

# --- one round

sub _round
{
	my ($self, $number, $kind) = @_;
	my $round = bless { number => $number, kind => $kind, rounds => $self, notes => [], begun => time,
		may => { map { $_ => {} } @VERDICTS } }, 'Rounds::Round';
	my $error;
	eval { $round->_run; 1 } or $error = $@;
	$self->{struck}{$kind}++;
	$self->{last} = $round;
	my $bad = $error ? {} : Oracle::sum_up($round->{found}, $round->{may});
	my @wrong = map { my $n = @{ $bad->{$_} // [] }; $n ? "$n $_" : () } @VERDICTS;
	$self->{sum}{$_} += @{ $bad->{$_} // [] } for @VERDICTS;
	# known of a single broker that was killed: readers of that topic wait for ever, too
	my $hanging = ($error // '') =~ /a transaction stays open in (?:the topic of the outbox's position|topic)/;
	$self->{sum}{ $hanging ? 'hanging' : 'stuck' }++ if $error;
	push @wrong, ($hanging ? 'HANGING: ' : 'STUCK: ') . ($error =~ s/ at \S+ line \d+\.?\n.*//sr =~ s/\s+/ /gr) if $error;
	$self->{report}->(sprintf '%5d %-18s at %4.1f s, batch %5d: %5d rows %5.1f s  %s%s', $number, $kind,
		$round->{moment} // 0, $round->{batch} // 0,
		$round->{found} ? $round->{found}{rows} : 0, time - $round->{begun}, @wrong ? join(', ', @wrong) : 'ok',
		@{ $round->{notes} } ? ' (' . join('; ', @{ $round->{notes} }) . ')' : '');
	$round->_keep($bad, $error) if @wrong || $self->{keep};
	$self->{stand}->clear_retired if $self->{stand} && !$error;
	# The topic is looked at once more after the next round, for what came late.
	if ($error)
	{
		# nothing is known of this stand any more
		$self->{done} = [];
		eval { $self->end; 1 } or warn $@;
		delete $self->{stand};
	}
	else
	{
		$self->_late(shift @{ $self->{done} }) if @{ $self->{done} // [] } > 3;
		push @{ $self->{done} }, { number => $number, kind => $kind, topic => $round->topic,
			isolation => $round->{isolation}, count => scalar @{ $round->{messages} } };
	}
	return;
}

# Messages that came after their round was judged: rows of it that were published again.
sub _late
{
	my ($self, $done) = @_;
	my $count = @{ Oracle::messages($self->stand->broker->bootstrap, $done->{topic}, $done->{isolation}) };
	return if $count == $done->{count};
	my $more = $count - $done->{count};
	$self->{sum}{ $more > 0 ? 'duplicated' : 'lost' } += abs $more;
	$self->{report}->("      round $done->{number} ($done->{kind}): $count messages later, $done->{count} at its end");
	return;
}

package Rounds::Round;

use Carp qw(croak);
use File::Path qw(make_path);
use Time::HiRes qw(sleep time);

sub number { my ($self) = @_; return $self->{number}; }
sub stand { my ($self) = @_; return $self->{rounds}->stand; }
sub writers { my ($self) = @_; return $self->{writers}; }
sub topic { my ($self) = @_; return "faults_$self->{number}"; }
sub note { my ($self, $text) = @_; push @{ $self->{notes} }, $text =~ s/\s+/ /gr; return; }

# allow(WHAT, IDS): these may be lost, duplicated or ghosts.
sub allow
{
	my ($self, $what, @ids) = @_;
	$self->{may}{$what}{$_} = 1 for @ids;
	return;
}

sub messages
{
	my ($self, $isolation) = @_;
	return Oracle::messages($self->stand->broker->bootstrap, $self->topic, $isolation);
}

# Sessions write for so many seconds from now; those before have to have ended.
sub write
{
	my ($self, $seconds) = @_;
	$self->{writers}->stop;
	$self->{writers}->begin($self->stand->node, $seconds);
	return;
}

# Time passes: sessions that have lost their server begin anew, prepared transactions end.
sub pump
{
	my ($self, $seconds) = @_;
	my $until = time + $seconds;
	do
	{
		$self->{writers}->alive;
		$self->_settle;
		my $left = $until - time;
		sleep($left < 0.05 ? $left : 0.05) if $left > 0;
	} while (time < $until);
	return;
}

sub _settle
{
	my ($self) = @_;
	return if time < ($self->{settle} //= time + 1);
	$self->stand->settle_prepared(seconds => 2) if $self->stand->node->{_pid};
	$self->{settle} = time + 1;
	return;
}

sub await_writers
{
	my ($self) = @_;
	my $until = time + 30;
	while ($self->{writers}->alive)
	{
		if (time > $until)
		{
			$self->{writers}->stop;
			croak 'writers do not come to an end';
		}
		$self->pump(0.05);
	}
	return;
}

sub _run
{
	my ($self) = @_;
	my $rounds = $self->{rounds};
	my $stand = $rounds->stand;
	my ($prepare, $strike) = map { Kinds->can($_)->($self->{kind}) } qw(prepare strike);
	$self->{writers} = Writers->new(dir => $rounds->{dir}, seed => $rounds->{seed} + 1000 * $self->{number}, delivery => $rounds->{delivery});
	$self->{moment} = 0.3 + rand 1.7;
	$self->{batch} = (2, 7, 50, 10000)[ rand 4 ];
	$prepare->($self) if $prepare;
	$stand->begin_round($self->{number}, $self->topic, $self->{batch});
	$self->write($Rounds::WRITE_S);
	my $done = eval {
		$self->pump($self->{moment});
		$strike->($self);
		$stand->heal;
		$self->await_writers;
		1;
	};
	my $error = $@;
	$self->{writers}->stop;
	die $error unless $done;
	$stand->await_up;
	defined $stand->settle_prepared(all => 1) or croak 'prepared transactions do not end: ' . $stand->error;
	$self->_verify;
	return;
}

# All that is committed has to be readable; when the relay says that it is, at once.
sub _verify
{
	my ($self) = @_;
	my $stand = $self->stand;
	my $xid = $stand->last_row;
	Oracle::sabotage($stand->node, $self->{rounds}{sabotage}, $self->{number}, $self->topic)
		if $self->{rounds}{sabotage} && $self->{number} == $self->{rounds}{first};
	my $truth = $stand->ledger($self->{number});
	my $deadline = time + ($self->{rounds}{deadline} // $Rounds::DEADLINE_S);
	while (1)
	{
		my $published = $self->{rounds}{delivery} ne 'outbox' || $stand->published($xid, 5);
		my $why = $stand->error;
		$self->{found} = Oracle::compare($truth, $self->{messages} = $self->messages);
		my $lost = @{ Oracle::sum_up($self->{found}, $self->{may})->{lost} };
		last if !$lost && $published;
		if ($published)
		{
			last if $self->_settled;
			$self->{rounds}{sum}{hanging}++;
			$self->note('the broker has left a transaction hanging');
			$self->allow('duplicated', keys %$truth);
			$self->{messages} = $self->messages($self->{isolation} = 'read_uncommitted');
			$self->{found} = Oracle::compare($truth, $self->{messages});
			last;
		}
		if (time > $deadline)
		{
			my $lease = $stand->lease // {};
			croak scalar @{ $self->{found}{lost} } . " rows are not published; the relay is $lease->{state} ($lease->{reason}); $why";
		}
	}
	return;
}

# No Kafka transaction is open in the topic; then a reader sees all there is.
sub _settled
{
	my ($self) = @_;
	my $until = time + 10;
	my $open = 'SELECT count(*) FROM kafka.watermarks(\'' . $self->topic . '\', server => \'direct\') WHERE high <> last_stable';
	while (($self->stand->sql($open) // 1) > 0)
	{
		return 0 if time > $until;
		sleep 0.05;
	}
	$self->{found} = Oracle::compare($self->stand->ledger($self->{number}), $self->{messages} = $self->messages);
	return 1;
}

# --- what is kept of a round that went wrong

my %DUMPS = (
	status => 'SELECT * FROM kafka.outbox_status',
	lease => 'SELECT * FROM kafka.outbox_lease',
	definition => 'SELECT * FROM kafka.outbox_definition',
	ticks => 'SELECT * FROM kafka.outbox_tick ORDER BY outbox, tick DESC LIMIT 100',
	ring => 'SELECT * FROM kafka.outbox_ring',
	activity => 'SELECT * FROM pg_stat_activity',
	prepared => 'SELECT * FROM pg_prepared_xacts',
	locks => 'SELECT * FROM pg_locks');

sub _keep
{
	my ($self, $bad, $error) = @_;
	my $stand = $self->{rounds}{stand} or return;
	my $dir = "$self->{rounds}{results}/round-$self->{number}-$self->{kind}";
	make_path($dir);
	_write("$dir/error", $error) if $error;
	for my $node ($stand->node, @{ $stand->{retired} })
	{
		my $name = $node->name;
		my @queries = map { "\\echo --- $_\n$DUMPS{$_};\n" } sort keys %DUMPS;
		_write("$dir/$name.dump", $stand->sql("\\pset format aligned\n\\pset tuples_only off\n\\x auto\n\\set ON_ERROR_STOP 0\n@queries", node => $node) // $stand->error);
		_write("$dir/$name.rows", $stand->sql('SELECT o.tableoid::regclass, o.outbox, o.xid, o.id, o.created, o.topic,
			convert_from(o.key, \'UTF8\'), convert_from(o.value, \'UTF8\') FROM kafka.outbox_row o WHERE topic = \'' . $self->topic . '\' ORDER BY o.id', node => $node) // $stand->error);
		system 'cp', $node->logfile, "$dir/$name.log";
		# where a crash was
		system "gdb -batch -ex bt '" . $node->config_data('--bindir') . "/postgres' '$_' >>'$dir/$name.backtrace' 2>&1; rm '$_'"
			for glob $node->data_dir . '/core*';
	}
	for my $what (sort keys %$bad)
	{
		_write("$dir/$what", join '', map { "$_->[1]\n" } @{ $bad->{$what} }) if @{ $bad->{$what} };
	}
	$self->_keep_kafka($dir, $stand);
	return;
}

sub _keep_kafka
{
	my ($self, $dir, $stand) = @_;
	my $brokers = $stand->broker->bootstrap;
	my @positions = split /\n/, $stand->sql('SELECT \'kafka_fdw.outbox.\' || uuid FROM kafka.outbox_definition') // '';
	for my $topic ($self->topic, @positions)
	{
		for my $isolation (qw(read_committed read_uncommitted))
		{
			my $file = "$dir/" . ($topic eq $self->topic ? 'topic' : 'position') . ".$isolation";
			IPC::Run::run([ qw(kcat -C -e -q -o beginning -f), "%p/%o %T %k %h %s\n", '-b', $brokers, '-t', $topic,
					'-X', "isolation.level=$isolation" ], '<', '/dev/null', '>', $file, '2>&1', IPC::Run::timeout(30));
		}
	}
	system "cp '$_' '$dir/kafka" . (m{/(node\d)/} ? $1 : '') . ".log'" for glob "$stand->{broker}{dir}/node*/log";
	return;
}

sub _write
{
	my ($path, $text) = @_;
	open my $fh, '>', $path or die "$path: $!\n";
	print {$fh} $text;
	close $fh;
	return;
}

1;
