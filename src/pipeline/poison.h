/*-------------------------------------------------------------------------
 *
 * poison.h
 *	  A batch is loaded, whatever some of its messages are like.
 *
 * Layer 3, private to src/pipeline and the pipelines' functions in src/sql.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KAFKA_PIPELINE_POISON_H
#define KAFKA_PIPELINE_POISON_H

#include "postgres.h"

#include "pipeline/load.h"

/* What became of a message. */
typedef enum KafkaFate
{
	KAFKA_FATE_NONE,			/* it was not reached: the batch ended before it (stop) */
	KAFKA_FATE_LOADED,
	KAFKA_FATE_SKIPPED,			/* by on_error, the foreign table's on_error, or mode ignore */
	KAFKA_FATE_DEAD_LETTER
} KafkaFate;

typedef struct KafkaBatchLoad
{
	KafkaFate  *fates;			/* the caller's array, one for each message; for counting: which ones
								 * mode ignore has left out is not known, only how many */
	int			done;			/* messages, from the first, that were reached; n unless it stopped */
	ErrorData  *error;			/* of the message at `done`, where it stopped */
	KafkaLoaded	loaded;

	/* the caller's: fills in the headers of message i, which are asked for before it is kept; or NULL */
	void		(*fill_headers) (void *arg, int i, KafkaMessage *msg);
	void	   *arg;
} KafkaBatchLoad;

/*
 * Loads messages in a subtransaction; where that fails for one of them, finds which, by halves if
 * need be, and does with it what the pipeline's on_error says.  Errors that are no message's are raised
 * (kafka_error_is_poison).  Messages that are skipped or become dead letters are logged, the first
 * ones of a batch one by one.  SPI is connected.
 */
extern void kafka_batch_load(const KafkaPipeline *pipeline, KafkaLoader *loader,
							 const KafkaMessage *messages, int n, KafkaBatchLoad *load);

/*
 * What becomes of message i, which has failed alone; KAFKA_FATE_NONE: the batch ends before it.
 * Outside of the subtransaction that failed; the current memory context is reset afterwards.
 */
typedef KafkaFate (*KafkaOnFailure) (void *arg, int i, const ErrorData *error);

/* The same for who does something else with them.  load->error lives in the current context. */
extern void kafka_batch_sift(KafkaLoader *loader, const KafkaMessage *messages, int n,
							 KafkaBatchLoad *load, KafkaOnFailure failed, void *arg);

/* Is an error with this SQLSTATE a message's: would it fail again, and others not? */
extern bool kafka_error_is_poison(int sqlstate);

/*
 * For kafka_attempt: the same, and SQLSTATEs that can also be a message's.  What it has caught goes
 * through kafka_error_require_poison, which raises what is no message's.
 */
extern bool kafka_error_may_be_poison(int sqlstate);
extern void kafka_error_require_poison(ErrorData *error);

/*
 * Keeps a message, with what went wrong, in kafka.dead_letter, or sends it to the pipeline's
 * dead_letter_topic through the outbox; in the current transaction, with SPI connected.  Raises
 * nothing that the message is the cause of: one that cannot be sent is kept.
 */
extern void kafka_dead_letter_keep(const KafkaPipeline *pipeline, const KafkaMessage *message,
								   const ErrorData *error);

#endif							/* KAFKA_PIPELINE_POISON_H */
