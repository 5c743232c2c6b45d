/*-------------------------------------------------------------------------
 *
 * redact.c
 *	  Takes secrets out of what librdkafka says.
 *
 * Layer 1.  librdkafka keeps most secrets to itself; this is for what it quotes (the rest of an
 * OAUTHBEARER configuration that it does not understand, the URL of a token endpoint) and for what
 * a version that we have not read may quote.  It is called from callbacks, so it only moves bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "client/redact.h"

#define STARS "***"

/* Stars for the bytes from `from` to `to`; returns what is behind the stars. */
static char *
cover(char *from, char *to)
{
	size_t		stars = Min(strlen(STARS), (size_t) (to - from));

	memcpy(from, STARS, stars);
	memmove(from + stars, to, strlen(to) + 1);
	return from + stars;
}

static void
cover_secret(char *text, const char *secret)
{
	size_t		len = strlen(secret);

	if (len < strlen(STARS))
		return;
	while ((text = strstr(text, secret)) != NULL)
		text = cover(text, text + len);
}

/* scheme://user:password@host/path?query */
static void
cover_urls(char *text)
{
	while ((text = strstr(text, "://")) != NULL)
	{
		char	   *host;
		char	   *query;

		text += strlen("://");
		host = text + strcspn(text, "@/?# \t\r\n\"'");
		if (*host == '@')
			text = cover(text, host);
		query = text + strcspn(text, "? \t\r\n\"'");
		text = query;
		if (*query == '?')
			text = cover(query + 1, query + 1 + strcspn(query + 1, " \t\r\n\"'"));
	}
}

/* "... beginning at: REST", "... 'lifeSeconds=': VALUE" */
static void
cover_oauthbearer(char *text)
{
	static const char *const marks[] = {"beginning at: ", "': "};

	text = strstr(text, "sasl.oauthbearer.config");
	for (size_t i = 0; text && i < lengthof(marks); i++)
	{
		char	   *rest = strstr(text, marks[i]);

		if (rest)
		{
			rest += strlen(marks[i]);
			(void) cover(rest, rest + strlen(rest));
		}
	}
}

void
kafka_redact(char *text, List *secrets)
{
	ListCell   *lc;

	foreach(lc, secrets)
		cover_secret(text, (const char *) lfirst(lc));
	cover_urls(text);
	cover_oauthbearer(text);
}
