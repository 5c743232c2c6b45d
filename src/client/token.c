/*-------------------------------------------------------------------------
 *
 * token.c
 *	  Unsecured tokens for OAUTHBEARER.
 *
 * Layer 1.  What librdkafka has built in for enable.sasl.oauthbearer.unsecure.jwt ends the
 * process before version 2.3: the first time that it renews a token it puts the request for
 * that on a queue that it has not made (after 48 minutes, with the usual life of an hour).  It
 * also quotes sasl.oauthbearer.config, a secret, in its errors.  So this is done here, for all
 * versions, from the same text:
 *
 *	   principal=NAME [principalClaimName=sub] [scope=A,B] [scopeClaimName=scope]
 *	   [lifeSeconds=3600] [extension_KEY=VALUE ...]
 *
 * A token is {"alg":"none"} and the claims, both in base64url with dots behind (RFC 7515,
 * appendix A.5).  Nobody has signed it, so it is for tests and for networks where that is enough.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <time.h>

#include "client/token.h"

#define MAX_CONFIG 2048
#define MAX_EXTENSIONS 16
#define HEADER "eyJhbGciOiJub25lIn0."	/* {"alg":"none"} */

typedef struct Claims
{
	char		text[MAX_CONFIG];	/* the others point into it */
	const char *principal;
	const char *principal_claim;
	const char *scope;
	const char *scope_claim;
	long		life_seconds;
	const char *extensions[2 * MAX_EXTENSIONS]; /* names and values in turn */
	size_t		nextensions;		/* of both */
} Claims;

/* Where a word "name=value" puts its value; NULL if the name is none of these. */
static const char **
value_place(Claims *claims, const char *name)
{
	if (strcmp(name, "principal") == 0)
		return &claims->principal;
	if (strcmp(name, "principalClaimName") == 0)
		return &claims->principal_claim;
	if (strcmp(name, "scope") == 0)
		return &claims->scope;
	if (strcmp(name, "scopeClaimName") == 0)
		return &claims->scope_claim;
	if (strncmp(name, "extension_", 10) == 0 && claims->nextensions < 2 * MAX_EXTENSIONS)
	{
		claims->extensions[claims->nextensions] = name + 10;
		claims->nextensions += 2;
		return &claims->extensions[claims->nextensions - 1];
	}
	return NULL;
}

/* Quotes and the like would have to be escaped in JSON; no name needs them. */
static bool
is_plain(const char *value)
{
	for (; *value; value++)
		if (*value == '"' || *value == '\\' || (unsigned char) *value < ' ')
			return false;
	return true;
}

/* Sets one claim from its word; what is wrong with it, or NULL. */
static const char *
take_word(Claims *claims, char *word)
{
	char	   *value = strchr(word, '=');
	const char **place;

	if (value == NULL || value[1] == '\0')
		return "a word of it is not name=value";
	*value++ = '\0';
	if (!is_plain(value))
		return "a value has a character that is not allowed";
	if (strcmp(word, "lifeSeconds") == 0)
	{
		char	   *end;

		claims->life_seconds = strtol(value, &end, 10);
		if (*end || claims->life_seconds <= 0 || claims->life_seconds > INT_MAX)
			return "lifeSeconds is not a positive number";
		return NULL;
	}
	place = value_place(claims, word);
	if (place == NULL)
		return "a name in it is not known";
	*place = value;
	return NULL;
}

static const char *
parse_claims(Claims *claims, const char *config)
{
	char	   *save;
	const char *wrong = NULL;

	memset(claims, 0, sizeof(*claims));
	claims->principal_claim = "sub";
	claims->scope_claim = "scope";
	claims->life_seconds = 3600;
	if (config == NULL || strlen(config) >= MAX_CONFIG)
		return config ? "it is too long" : "it is not set";
	strlcpy(claims->text, config, MAX_CONFIG);
	for (char *word = strtok_r(claims->text, " ", &save); word && !wrong;
		 word = strtok_r(NULL, " ", &save))
		wrong = take_word(claims, word);
	if (wrong == NULL && claims->principal == NULL)
		wrong = "there is no principal=NAME in it";
	return wrong;
}

/* The claims as JSON; every value has been found plain.  A comma in scope divides. */
static void
write_json(const Claims *claims, time_t now, char *json, size_t size)
{
	size_t		used = snprintf(json, size, "{\"%s\":\"%s\",\"iat\":%ld,\"exp\":%ld",
								claims->principal_claim, claims->principal, (long) now,
								(long) now + claims->life_seconds);

	if (claims->scope)
	{
		used += snprintf(json + used, size - used, ",\"%s\":[\"", claims->scope_claim);
		for (const char *p = claims->scope; *p; p++)
			if (*p == ',')
				used += snprintf(json + used, size - used, "\",\"");
			else
				json[used++] = *p;
		used += snprintf(json + used, size - used, "\"]");
	}
	snprintf(json + used, size - used, "}");
}

/* Without padding.  Returns the end of what was written. */
static char *
write_base64url(const char *text, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *in = (const unsigned char *) text;

	for (size_t left = strlen(text); left > 0; left -= Min(left, 3), in += 3)
	{
		uint32		bits = in[0] << 16;

		if (left > 1)
			bits |= in[1] << 8;
		if (left > 2)
			bits |= in[2];
		for (size_t i = 0; i <= Min(left, 3); i++)
			*out++ = digits[bits >> (18 - 6 * i) & 63];
	}
	*out = '\0';
	return out;
}

void
kafka_token_refresh(rd_kafka_t *rk, const char *config, void *opaque)
{
	Claims		claims;
	char		json[4 * MAX_CONFIG];	/* a comma of scope takes three characters */
	char		token[sizeof(HEADER) + 6 * MAX_CONFIG];
	char		why[256];
	time_t		now = time(NULL);
	const char *wrong = parse_claims(&claims, config);

	if (wrong)
	{
		snprintf(why, sizeof(why), "sasl.oauthbearer.config: %s", wrong);
		rd_kafka_oauthbearer_set_token_failure(rk, why);
		return;
	}
	write_json(&claims, now, json, sizeof(json));
	strcpy(write_base64url(json, token + strlen(strcpy(token, HEADER))), ".");
	if (rd_kafka_oauthbearer_set_token(rk, token, ((int64_t) now + claims.life_seconds) * 1000,
									   claims.principal, claims.extensions, claims.nextensions,
									   why, sizeof(why)) != RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_oauthbearer_set_token_failure(rk, "sasl.oauthbearer.config: not accepted");
}
