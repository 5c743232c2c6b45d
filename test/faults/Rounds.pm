# Rounds of faults: in each, others write while one fault strikes; when all is well again, what
# there is has to be what there is to be. Relay::Rounds and Pipeline::Rounds say what is written,
# and judge.
#
#   my $rounds = Relay::Rounds->new(rounds => 5, seed => 1, report => sub { ... });
#   $rounds->run;                       # false if something was wrong
#   $rounds->end;
package Rounds;

use strict;
use warnings;
use Carp qw(croak);
use Cwd qw(abs_path);
use Digest::MD5 qw(md5_hex);
use File::Basename qw(dirname);
use IPC::Run ();
use List::Util qw(shuffle sum0);
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time);

# Seconds: how long others write in a round, and how long all may take to be well again.
our $WRITE_S = 3;
our $DEADLINE_S = 60;

our @VERDICTS = qw(lost duplicated reordered ghosts);

# What the sabotages are called, and what each has to be found as.
our %SABOTAGES = (lose => 'lost', duplicate => 'duplicated', reorder => 'reordered', ghost => 'ghosts');

# new(rounds => 20, first => 1, seed => N, kinds => 'a,b', nodes => 1, sabotage => 'lose',
# keep => 1, report => sub (text))
sub new
{
	my ($class, %args) = @_;
	my $self = bless { first => 1, nodes => 1, $class->defaults, report => sub { }, sum => {}, struck => {}, %args }, $class;
	die "no sabotage called $args{sabotage}\n" if defined $args{sabotage} && !$SABOTAGES{ $args{sabotage} };
	$self->{sum}{$_} = 0 for @VERDICTS, qw(stuck hanging);
	$self->{proxied} = IPC::Run::run([ abs_path(dirname(__FILE__) . '/../broker/proxy'), 'path' ], '>', '/dev/null', '2>', '/dev/null');
	my @kinds = grep { $self->possible($_) } $self->kinds->chosen($args{kinds});
	die "none of these kinds is possible here\n" unless @kinds;
	$self->{kinds} = \@kinds;
	$self->{dir} = PostgreSQL::Test::Utils::tempdir('writers');
	$self->{results} = $ENV{FAULTS_RESULTS} // "$self->{dir}/results";
	return $self;
}

# What a class has to say: its class of kinds, more arguments, its stand, a round of its own.
sub kinds { croak 'kinds'; }
sub defaults { return (); }
sub make_stand { croak 'make_stand'; }
sub make_round { croak 'make_round'; }

# What it may say: can this kind be here; what becomes of a round that has been judged.
sub possible { my ($self, $kind) = @_; return $self->{proxied} || !$self->kinds->needs_proxy($kind); }
sub judged { return; }
sub forget { return; }

sub stand { my ($self) = @_; return $self->{stand} //= $self->make_stand; }

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
		srand hex substr md5_hex("$self->{seed} $number"), 0, 8;
		$self->_round($number++, $kind);
	}
	$self->finish;
	$self->_summary;
	return !$self->failed;
}

# After the last round.
sub finish { return; }

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
	my $before = $last->{found};
	$last->sabotage($how);
	$last->judge;
	my %more = map { ($_ => @{ $last->{found}{$_} } - @{ $before->{$_} }) } @VERDICTS;
	return \%more;
}

sub _round
{
	my ($self, $number, $kind) = @_;
	my $round = $self->make_round;
	%$round = (%$round, number => $number, kind => $kind, rounds => $self, notes => [], begun => time,
		may => { map { $_ => {} } @VERDICTS });
	my $error;
	eval { $round->run; 1 } or $error = $@;
	$self->{struck}{$kind}++;
	$self->{last} = $round;
	my $bad = $error ? {} : sum_up($round->{found}, $round->{may});
	my @wrong = map { my $n = @{ $bad->{$_} // [] }; $n ? "$n $_" : () } @VERDICTS;
	$self->{sum}{$_} += @{ $bad->{$_} // [] } for @VERDICTS;
	# known of a single broker that was killed: readers of that topic wait for ever, too
	my $hanging = ($error // '') =~ /a transaction stays open in (?:the topic of the outbox's position|topic)/;
	$self->{sum}{ $hanging ? 'hanging' : 'stuck' }++ if $error;
	push @wrong, ($hanging ? 'HANGING: ' : 'STUCK: ') . ($error =~ s/ at \S+ line \d+\.?\n.*//sr =~ s/\s+/ /gr) if $error;
	$self->{report}->(sprintf '%5d %-18s at %4.1f s, %s: %5d %s %5.1f s  %s%s', $number, $kind, $round->{moment} // 0,
		$round->what, $round->{found} ? $round->{found}{rows} : 0, 'rows', time - $round->{begun}, @wrong ? join(', ', @wrong) : 'ok',
		@{ $round->{notes} } ? ' (' . join('; ', @{ $round->{notes} }) . ')' : '');
	$round->_keep($bad, $error) if @wrong || $self->{keep};
	if ($error)
	{
		# nothing is known of this stand any more
		$self->forget;
		eval { $self->end; 1 } or warn $@;
		delete $self->{stand};
	}
	else
	{
		$self->{stand}->clear_retired;
		$self->judged($round);
	}
	return;
}

# How many of each, without those that may be: {lost => {id => 1}, ...}.
sub sum_up
{
	my ($found, $may) = @_;
	return { map { my $what = $_;
			($what => [ grep { !$may->{$what}{ $_->[0] } } @{ $found->{$what} } ]) } @VERDICTS };
}

# One round.
package Rounds::Round;

use Carp qw(croak);
use File::Path qw(make_path);
use Time::HiRes qw(sleep time);

sub number { my ($self) = @_; return $self->{number}; }
sub stand { my ($self) = @_; return $self->{rounds}->stand; }
sub writers { my ($self) = @_; return $self->{writers}; }
sub topic { my ($self) = @_; return "faults_$self->{number}"; }
sub note { my ($self, $text) = @_; push @{ $self->{notes} }, $text =~ s/\s+/ /gr; return; }

# What a class has to say: what is chosen at random, as text for the round's line; its writers
# (begin, alive, stop); what is made before they begin, and done now and then while they write;
# waits until all is to be well, and judges; falsifies; finds again.
sub what { return ''; }
sub make_writers { croak 'make_writers'; }
sub choose { return; }
sub set_up { return; }
sub tick { return; }
sub verify { croak 'verify'; }
sub sabotage { croak 'sabotage'; }
sub judge { croak 'judge'; }

# allow(WHAT, IDS): these may be lost, duplicated or ghosts.
sub allow
{
	my ($self, $what, @ids) = @_;
	$self->{may}{$what}{$_} = 1 for @ids;
	return;
}

# Writers write for so many seconds from now; those before have to have ended.
sub write
{
	my ($self, $seconds) = @_;
	$self->{writers}->stop;
	$self->{writers}->begin($self->stand->node, $seconds);
	return;
}

# Time passes: writers that have lost their server begin anew.
sub pump
{
	my ($self, $seconds) = @_;
	my $until = time + $seconds;
	do
	{
		$self->{writers}->alive;
		$self->tick;
		my $left = $until - time;
		sleep($left < 0.05 ? $left : 0.05) if $left > 0;
	} while (time < $until);
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

sub run
{
	my ($self) = @_;
	my $rounds = $self->{rounds};
	my $stand = $rounds->stand;
	my ($prepare, $strike) = map { $rounds->kinds->$_($self->{kind}) } qw(prepare strike);
	$self->{writers} = $self->make_writers;
	$self->{moment} = 0.3 + rand 1.7;
	$self->choose;
	$prepare->($self) if $prepare;
	$self->set_up;
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
	$self->verify;
	return;
}

# Falsifies the round, if it is the one.
sub perhaps_sabotage
{
	my ($self) = @_;
	my $rounds = $self->{rounds};
	$self->sabotage($rounds->{sabotage}) if $rounds->{sabotage} && $self->{number} == $rounds->{first};
	return;
}

# --- what is kept of a round that went wrong

# Queries by name; more of a server; more of the round.
sub dumps { return {}; }
sub keep_of_node { return; }
sub keep_more { return; }

sub _keep
{
	my ($self, $bad, $error) = @_;
	my $stand = $self->{rounds}{stand} or return;
	my $dir = "$self->{rounds}{results}/round-$self->{number}-$self->{kind}";
	make_path($dir);
	keep_text("$dir/error", $error) if $error;
	my $dumps = $self->dumps;
	for my $node ($stand->node, @{ $stand->{retired} })
	{
		my $name = $node->name;
		my @queries = map { "\\echo --- $_\n$dumps->{$_};\n" } sort keys %$dumps;
		keep_text("$dir/$name.dump", $stand->sql("\\pset format aligned\n\\pset tuples_only off\n\\x auto\n\\set ON_ERROR_STOP 0\n@queries", node => $node) // $stand->error);
		$self->keep_of_node($dir, $node);
		system 'cp', $node->logfile, "$dir/$name.log";
		# where a crash was
		system "gdb -batch -ex bt '" . $node->config_data('--bindir') . "/postgres' '$_' >>'$dir/$name.backtrace' 2>&1; rm '$_'"
			for glob $node->data_dir . '/core*';
	}
	for my $what (sort keys %$bad)
	{
		keep_text("$dir/$what", join '', map { "$_->[1]\n" } @{ $bad->{$what} }) if @{ $bad->{$what} };
	}
	$self->keep_more($dir);
	system "cp '$_' '$dir/kafka" . (m{/(node\d)/} ? $1 : '') . ".log'" for glob "$stand->{broker}{dir}/node*/log";
	return;
}

# keep_topic(FILE, TOPIC): FILE.read_committed and FILE.read_uncommitted.
sub keep_topic
{
	my ($self, $file, $topic) = @_;
	for my $isolation (qw(read_committed read_uncommitted))
	{
		IPC::Run::run([ qw(kcat -C -e -q -o beginning -f), "%p/%o %T %k %h %s\n", '-b', $self->stand->broker->bootstrap, '-t', $topic,
				'-X', "isolation.level=$isolation" ], '<', '/dev/null', '>', "$file.$isolation", '2>&1', IPC::Run::timeout(30));
	}
	return;
}

sub keep_text
{
	my ($path, $text) = @_;
	open my $fh, '>', $path or die "$path: $!\n";
	print {$fh} $text;
	close $fh;
	return;
}

1;
