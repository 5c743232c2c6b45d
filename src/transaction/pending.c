/*-------------------------------------------------------------------------
 *
 * pending.c
 *	  Messages that wait for the end of the transaction, in the order they were sent.
 *
 * Layer 3.  Kafka has no savepoints, so nothing is sent before the transaction ends.  The
 * log is append-only; a mark for each nesting level that has sent something remembers where
 * the log stood before.  ROLLBACK TO cuts the log back to the mark, RELEASE gives the mark
 * to the level above: both without touching the messages.
 *
 * The file is written with a buffer of our own, not with PostgreSQL's BufFile: that one tries
 * to write again what could not be written (temp_file_limit, a full disk), also when it is
 * closed, so a savepoint could not mend it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "ground/settings.h"
#include "storage/fd.h"
#include "transaction/pending.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/wait_event.h"

#define BLOCK_SIZE ((Size) 256 * 1024)
#define FILE_BUFFER_SIZE ((Size) 64 * 1024)

/* A record: this header, then key, value, and the headers, each as name, length, bytes. */
typedef struct Record
{
	Size		size;			/* of header and body */
	int			destination;
	int32		partition;
	int64		timestamp;
	int64		key_len;		/* -1: null */
	int64		value_len;		/* -1: null */
	int			nheaders;
} Record;

typedef struct Block
{
	Size		size;
	Size		used;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} Block;

/* A place in the log: so many blocks, the last one filled so far, then so much of the file. */
typedef struct Position
{
	int			nblocks;
	Size		used;			/* of the last block */
	int64		in_file;		/* records */
	int64		offset;			/* of the file */
	int64		count;			/* records in all */
} Position;

typedef struct Mark
{
	int			level;
	Position	before;
} Mark;

static MemoryContext context;	/* child of TopTransactionContext; NULL: empty log */
static Block **blocks;
static int	max_blocks;
static Size memory_used;
static File file;				/* 0: there is none */
static char *file_buffer;		/* of the file's bytes from buffer_start on */
static int64 buffer_start;
static Size buffer_used;
static Size buffer_read;		/* of those, when reading */
static char *scratch;			/* one record */
static Size scratch_size;
static Position end;
static Mark *marks;
static int	nmarks;
static int	max_marks;

/* reading */
static int	read_block;
static Size read_offset;
static int64 read_count;
static KafkaHeader *read_headers;
static int	max_read_headers;

static void
open_log(void)
{
	if (context)
		return;
	context = AllocSetContextCreate(TopTransactionContext, "kafka_fdw pending messages",
									ALLOCSET_DEFAULT_SIZES);
	max_blocks = 16;
	blocks = MemoryContextAlloc(context, sizeof(Block *) * max_blocks);
	max_marks = 8;
	marks = MemoryContextAlloc(context, sizeof(Mark) * max_marks);
	memory_used = 0;
	nmarks = 0;
	memset(&end, 0, sizeof(end));
}

void
kafka_pending_forget(void)
{
	context = NULL;
	blocks = NULL;
	marks = NULL;
	nmarks = 0;
	file = 0;
	file_buffer = NULL;
	buffer_start = 0;
	buffer_used = 0;
	scratch = NULL;
	scratch_size = 0;
	read_headers = NULL;
	max_read_headers = 0;
	memset(&end, 0, sizeof(end));
}

void
kafka_pending_close(void)
{
	if (file > 0)
		FileClose(file);
	if (context)
		MemoryContextDelete(context);
	kafka_pending_forget();
}

int64
kafka_pending_count(void)
{
	return end.count;
}

/* ------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------
 */

/* The first message of a nesting level marks where the log stood. */
static void
mark_level(void)
{
	int			level = GetCurrentTransactionNestLevel();

	if (level <= 1 || (nmarks > 0 && marks[nmarks - 1].level >= level))
		return;
	if (nmarks == max_marks)
	{
		max_marks *= 2;
		marks = repalloc(marks, sizeof(Mark) * max_marks);
	}
	marks[nmarks].level = level;
	marks[nmarks].before = end;
	nmarks++;
}

static Size
record_size(const KafkaMessage *msg)
{
	Size		size = sizeof(Record) + msg->key.len + msg->value.len;

	for (int i = 0; i < msg->nheaders; i++)
		size += strlen(msg->headers[i].name) + 1 + sizeof(int64) + msg->headers[i].value.len;
	return size;
}

static char *
put_bytes(char *p, const void *data, Size len)
{
	if (len > 0)
		memcpy(p, data, len);
	return p + len;
}

static void
fill_record(char *p, Size size, int destination, const KafkaMessage *msg)
{
	Record		record = {.size = size, .destination = destination,
		.partition = msg->partition, .timestamp = msg->timestamp,
		.key_len = msg->key.data ? (int64) msg->key.len : -1,
		.value_len = msg->value.data ? (int64) msg->value.len : -1,
	.nheaders = msg->nheaders};

	p = put_bytes(p, &record, sizeof(record));
	p = put_bytes(p, msg->key.data, msg->key.data ? msg->key.len : 0);
	p = put_bytes(p, msg->value.data, msg->value.data ? msg->value.len : 0);
	for (int i = 0; i < msg->nheaders; i++)
	{
		const KafkaHeader *header = &msg->headers[i];
		int64		len = header->value.data ? (int64) header->value.len : -1;

		p = put_bytes(p, header->name, strlen(header->name) + 1);
		p = put_bytes(p, &len, sizeof(len));
		p = put_bytes(p, header->value.data, len > 0 ? (Size) len : 0);
	}
}

/* Room for a record in memory; records are kept 8-byte aligned within a block. */
static char *
memory_room(Size size)
{
	Block	   *block = end.nblocks > 0 ? blocks[end.nblocks - 1] : NULL;
	char	   *room;

	if (block == NULL || block->used + MAXALIGN(size) > block->size)
	{
		Size		block_size = Max(BLOCK_SIZE, MAXALIGN(size));

		if (end.nblocks == max_blocks)
		{
			max_blocks *= 2;
			blocks = repalloc_huge(blocks, sizeof(Block *) * max_blocks);
		}
		block = MemoryContextAllocHuge(context, offsetof(Block, data) + block_size);
		block->size = block_size;
		block->used = 0;
		blocks[end.nblocks++] = block;
		memory_used += block_size;
	}
	room = block->data + block->used;
	block->used += MAXALIGN(size);
	end.used = block->used;
	return room;
}

static bool
memory_is_full(Size size)
{
	Block	   *block = end.nblocks > 0 ? blocks[end.nblocks - 1] : NULL;

	if (end.in_file > 0)
		return true;			/* the order must be kept */
	if (block && block->used + MAXALIGN(size) <= block->size)
		return false;
	return memory_used + Max(BLOCK_SIZE, MAXALIGN(size)) > (Size) kafka_setting_send_buffer * 1024;
}

/* Room for one record, whatever it was used for last. */
static char *
get_scratch(Size size)
{
	if (size > scratch_size)
	{
		if (scratch)
			pfree(scratch);
		scratch = NULL;
		scratch_size = 0;
		scratch = MemoryContextAllocHuge(context, Max(size, 8192));
		scratch_size = Max(size, 8192);
	}
	return scratch;
}

/* The file is the top transaction's, whatever subtransaction is running. */
static void
open_file(void)
{
	ResourceOwner owner = CurrentResourceOwner;

	if (file > 0)
		return;
	if (file_buffer == NULL)
		file_buffer = MemoryContextAlloc(context, FILE_BUFFER_SIZE);
	CurrentResourceOwner = TopTransactionResourceOwner;
	PG_TRY();
	{
		file = OpenTemporaryFile(false);
	}
	PG_FINALLY();
	{
		CurrentResourceOwner = owner;
	}
	PG_END_TRY();
}

/* What stands behind this place in the file is void: rolled back, or it could not be written. */
static void
cut_file(int64 offset)
{
	buffer_used = offset > buffer_start ? (Size) (offset - buffer_start) : 0;
	buffer_start = Min(buffer_start, offset);
}

static void
flush_buffer(void)
{
	int			written;

	if (buffer_used == 0)
		return;
	errno = 0;
	written = (int) FileWrite(file, file_buffer, (int) buffer_used, (off_t) buffer_start,
							  WAIT_EVENT_BUFFILE_WRITE);
	if (written != (int) buffer_used)
	{
		if (errno == 0)
			errno = ENOSPC;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write the temporary file of pending Kafka messages: %m")));
	}
	buffer_start += buffer_used;
	buffer_used = 0;
}

static void
write_bytes(const char *data, Size size)
{
	while (size > 0)
	{
		Size		part;

		if (buffer_used == FILE_BUFFER_SIZE)
			flush_buffer();
		part = Min(size, FILE_BUFFER_SIZE - buffer_used);
		memcpy(file_buffer + buffer_used, data, part);
		buffer_used += part;
		data += part;
		size -= part;
	}
}

static void
write_to_file(Size size, int destination, const KafkaMessage *msg)
{
	char	   *record = get_scratch(size);

	open_file();
	fill_record(record, size, destination, msg);
	cut_file(end.offset);		/* an earlier one may have been written in part */
	write_bytes(record, size);
	end.offset += size;
	end.in_file++;
}

void
kafka_pending_add(int destination, const KafkaMessage *msg)
{
	Size		size = record_size(msg);

	open_log();
	mark_level();
	if (memory_is_full(size))
		write_to_file(size, destination, msg);
	else
		fill_record(memory_room(size), size, destination, msg);
	end.count++;
}

/* ------------------------------------------------------------------------
 * Subtransactions
 * ------------------------------------------------------------------------
 */
static void
cut_back(Position position)
{
	while (end.nblocks > position.nblocks)
	{
		Block	   *block = blocks[--end.nblocks];

		memory_used -= block->size;
		pfree(block);
	}
	if (position.nblocks > 0)
		blocks[position.nblocks - 1]->used = position.used;
	end = position;
	if (file > 0 && end.in_file == 0)
	{
		FileClose(file);
		file = 0;
	}
	cut_file(end.offset);
}

void
kafka_pending_subabort(int level)
{
	while (nmarks > 0 && marks[nmarks - 1].level >= level)
		cut_back(marks[--nmarks].before);
}

void
kafka_pending_subcommit(int level)
{
	if (nmarks == 0 || marks[nmarks - 1].level < level)
		return;
	if (level - 1 <= 1 || (nmarks > 1 && marks[nmarks - 2].level == level - 1))
		nmarks--;				/* the level above has its mark, or needs none */
	else
		marks[nmarks - 1].level = level - 1;
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */
void
kafka_pending_rewind(void)
{
	read_block = 0;
	read_offset = 0;
	read_count = 0;
	if (end.in_file > 0)
	{
		cut_file(end.offset);
		flush_buffer();
	}
	buffer_start = 0;
	buffer_used = 0;
	buffer_read = 0;
}

static void
fill_buffer(void)
{
	int			got;

	buffer_start += buffer_used;
	buffer_used = buffer_read = 0;
	got = (int) FileRead(file, file_buffer, (int) FILE_BUFFER_SIZE, (off_t) buffer_start,
						 WAIT_EVENT_BUFFILE_READ);
	if (got <= 0)
		ereport(ERROR,
				(got < 0 ? errcode_for_file_access() : errcode(ERRCODE_DATA_CORRUPTED),
				 got < 0 ?
				 errmsg("could not read the temporary file of pending Kafka messages: %m") :
				 errmsg("the temporary file of pending Kafka messages is too short")));
	buffer_used = (Size) got;
}

static void
read_bytes(char *target, Size size)
{
	while (size > 0)
	{
		Size		part;

		if (buffer_read == buffer_used)
			fill_buffer();
		part = Min(size, buffer_used - buffer_read);
		memcpy(target, file_buffer + buffer_read, part);
		buffer_read += part;
		target += part;
		size -= part;
	}
}

/* A whole record from the file, in a buffer that is reused. */
static char *
read_from_file(void)
{
	Size		size;
	char	   *record;

	read_bytes((char *) &size, sizeof(size));
	record = get_scratch(size);
	memcpy(record, &size, sizeof(size));
	read_bytes(record + sizeof(size), size - sizeof(size));
	return record;
}

static char *
read_from_memory(void)
{
	char	   *record;
	Size		size;

	if (read_offset >= blocks[read_block]->used)
	{
		/* librdkafka's queue has its messages by now, and needs the memory */
		pfree(blocks[read_block]);
		blocks[read_block] = NULL;
		read_block++;
		read_offset = 0;
	}
	record = blocks[read_block]->data + read_offset;
	memcpy(&size, record, sizeof(size));
	read_offset += MAXALIGN(size);
	return record;
}

static char *
take_bytes(char *p, int64 len, KafkaBytes *bytes)
{
	bytes->data = len < 0 ? NULL : p;
	bytes->len = len < 0 ? 0 : (Size) len;
	return p + bytes->len;
}

static void
parse_record(char *p, int *destination, KafkaMessage *msg)
{
	Record		record;

	memcpy(&record, p, sizeof(record));
	p += sizeof(record);
	memset(msg, 0, sizeof(*msg));
	*destination = record.destination;
	msg->partition = record.partition;
	msg->offset = KAFKA_UNKNOWN;
	msg->timestamp = record.timestamp;
	p = take_bytes(p, record.key_len, &msg->key);
	p = take_bytes(p, record.value_len, &msg->value);
	if (record.nheaders > max_read_headers)
	{
		max_read_headers = Max(record.nheaders, 16);
		read_headers = MemoryContextAlloc(context, sizeof(KafkaHeader) * max_read_headers);
	}
	msg->nheaders = record.nheaders;
	msg->headers = read_headers;
	for (int i = 0; i < record.nheaders; i++)
	{
		int64		len;

		read_headers[i].name = p;
		p += strlen(p) + 1;
		memcpy(&len, p, sizeof(len));
		p = take_bytes(p + sizeof(len), len, &read_headers[i].value);
	}
}

bool
kafka_pending_next(int *destination, KafkaMessage *msg)
{
	if (read_count >= end.count)
		return false;
	if (read_count < end.count - end.in_file)
		parse_record(read_from_memory(), destination, msg);
	else
		parse_record(read_from_file(), destination, msg);
	read_count++;
	return true;
}
