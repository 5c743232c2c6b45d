/*-------------------------------------------------------------------------
 *
 * utility.c
 *	  What the extension does around utility commands.
 *
 * Layer 0.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/utility.h"
#include "tcop/utility.h"

#define MAX_UTILITIES 8

static ProcessUtility_hook_type previous_hook;
static const KafkaUtility *utilities[MAX_UTILITIES];
static int	nutilities;

static void
on_utility(PlannedStmt *stmt, const char *query, bool read_only_tree,
		   ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *env,
		   DestReceiver *dest, QueryCompletion *qc)
{
	void	   *notes[MAX_UTILITIES];

	for (int i = 0; i < nutilities; i++)
		notes[i] = utilities[i]->before(stmt->utilityStmt);
	if (previous_hook)
		previous_hook(stmt, query, read_only_tree, context, params, env, dest, qc);
	else
		standard_ProcessUtility(stmt, query, read_only_tree, context, params, env, dest, qc);
	for (int i = 0; i < nutilities; i++)
		if (notes[i])
			utilities[i]->after(notes[i]);
}

void
kafka_utility_add(const KafkaUtility *utility)
{
	if (nutilities == 0)
	{
		previous_hook = ProcessUtility_hook;
		ProcessUtility_hook = on_utility;
	}
	if (nutilities == MAX_UTILITIES)
		elog(ERROR, "too many parts of kafka_fdw want to see utility commands");
	utilities[nutilities++] = utility;
}
