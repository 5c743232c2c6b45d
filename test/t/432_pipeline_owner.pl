# A pipeline in a background worker acts as its owner in all that it does, also in what its owner's functions
# leave to COMMIT; and the views show how it is.
use strict;
use warnings;
use Test::More;
use KafkaFdwTest;
use PostgreSQL::Test::Utils;

my $node = KafkaFdwTest::node($ENV{KAFKA_BROKERS}, preload => 1);
my $psql = KafkaFdwTest::session($node);
my $topic = 'pipeline_owner';
$psql->query_safe("SELECT kafka.create_topic('$topic', 1)");

sub produce { return $psql->query_safe("SELECT count(kafka.produce('$topic', '{\"v\": \"$_[0]\"}', delivery => 'immediate'))"); }

sub shown
{
	return $psql->query_safe("SELECT concat_ws(' ', enabled, state, sqlstate, cardinality(workers)) FROM kafka.pipelines WHERE name = '$_[0]'");
}

$psql->query_safe($_) for split /^--\n/m, <<"SQL";
CREATE ROLE ann
--
CREATE SCHEMA owned
--
GRANT ALL ON SCHEMA owned TO ann
--
CREATE TABLE owned.log (what text, who text)
--
GRANT INSERT ON owned.log TO ann
--
CREATE FOREIGN TABLE owned.source (v integer) SERVER kafka OPTIONS (topic '$topic', format 'json')
--
GRANT SELECT ON owned.source TO ann
--
GRANT EXECUTE ON FUNCTION kafka.create_pipeline, kafka.start_pipeline TO ann
--
SET ROLE ann
--
CREATE FUNCTION owned.note(what text) RETURNS text LANGUAGE plpgsql AS \$\$
BEGIN
  INSERT INTO owned.log VALUES (what, current_user);
  RETURN what;
END \$\$
--
CREATE FUNCTION owned.note_late() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
  PERFORM owned.note(TG_ARGV[0]);
  IF TG_ARGV[0] = 'deferred' THEN
    SET CONSTRAINTS owned.late DEFERRED;
    INSERT INTO owned.later VALUES (1);
  END IF;
  RETURN NULL;
END \$\$
--
CREATE TABLE owned.soon (v integer)
--
CREATE TABLE owned.later (v integer)
--
CREATE CONSTRAINT TRIGGER soon AFTER INSERT ON owned.soon DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION owned.note_late('deferred')
--
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON owned.later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION owned.note_late('deferred again')
--
CREATE FUNCTION owned.handle(m kafka.message[]) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
  PERFORM owned.note('handler');
  INSERT INTO owned.soon VALUES (1);
  EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT owned.note(''cursor'')';
END \$\$
--
SELECT kafka.create_pipeline('handler', 'owned.source', handler => 'owned.handle(kafka.message[])', batch_interval => '0')
--
CREATE TABLE owned.target (v integer)
--
SELECT kafka.create_pipeline('table', 'owned.source', 'owned.target', batch_interval => '0')
--
RESET ROLE
SQL

is(shown('handler'), 'f new', 'it is made, and does not run');
produce(1);
$psql->query_safe('SET ROLE ann');
$psql->query_safe("SELECT kafka.start_pipeline('handler')");
$psql->query_safe("SELECT kafka.wait_for_pipeline('handler', '30s')");
$psql->query_safe('RESET ROLE');
is($psql->query_safe("SELECT string_agg(what || ' ' || who, ', ' ORDER BY what) FROM owned.log"),
	'cursor ann, deferred ann, deferred again ann, handler ann', 'all is done as the owner, up to what is left to COMMIT');
is(shown('handler'), 't running 1', 'it runs');
$psql->query_safe("SELECT kafka.stop_pipeline('handler')");
KafkaFdwTest::wait_until(sub { shown('handler') eq 'f stopped' }, 20, 'the worker has ended');
pass('it is stopped');

# a message fails: it is shown, and start_pipeline tries again
$psql->query_safe("SELECT kafka.start_pipeline('table')");
produce('x');
KafkaFdwTest::wait_until(sub { shown('table') eq 't failed 22P02' }, 20, 'the pipeline has failed');
is($psql->query_safe(q{SELECT concat_ws(' ', partition, "offset") FROM kafka.pipelines WHERE name = 'table'}), '0 1',
	'where it has failed is shown');
is($psql->query_safe('SELECT string_agg(v::text, $$,$$) FROM owned.target'), '1', 'what is before is loaded');
$psql->query_safe("SELECT kafka.alter_pipeline('table', on_error => 'skip')");
$psql->query_safe("SELECT kafka.start_pipeline('table')");
$psql->query_safe("SELECT kafka.wait_for_pipeline('table', '30s')");
is($psql->query_safe("SELECT concat_ws(' ', state, messages, rows, skipped, lag, lag_time, progress, error) FROM kafka.pipelines WHERE name = 'table'"),
	'running 2 1 1 0 00:00:00 1', 'started again it goes on, and counts');

# the target goes: it waits, and goes on with another one
$psql->query_safe('DROP TABLE owned.target');
produce(3);
KafkaFdwTest::wait_until(sub { shown('table') =~ /^t waiting 42/ }, 20, 'it waits for its target');
$psql->query_safe('CREATE TABLE owned.other (v integer)');
$psql->query_safe('GRANT INSERT ON owned.other TO ann');
$psql->query_safe("SELECT kafka.alter_pipeline('table', target => 'owned.other')");
$psql->query_safe("SELECT kafka.wait_for_pipeline('table', '30s')");
is($psql->query_safe('SELECT string_agg(v::text, $$,$$) FROM owned.other'), '3', 'altered it goes on');
$psql->query_safe("SELECT kafka.drop_pipeline(name) FROM kafka.pipelines");
is($psql->query_safe('SELECT count(*) FROM kafka.pipeline_offset'), '0', 'dropped while it runs');
$psql->quit;
$node->stop;
done_testing();
