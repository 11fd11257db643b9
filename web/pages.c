// SPDX-License-Identifier: Apache-2.0
/* Plain HTML without scripts, styles or anything from elsewhere. Nothing in it is anybody's text but the version, which is ours. */
#include "web/pages.h"

#include "web/server.h"

void page_home(const struct server *s, struct buffer *out)
{
	buffer_printf(out,
		      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		      "<title>slowburn</title>\n</head>\n<body>\n<h1>slowburn</h1>\n"
		      "<p>Version %s. Where this machine's CPU time goes, now and before.</p>\n"
		      "<ul>\n",
		      s->job.version);
	buffer_text(
		out,
		"<li><a href=\"/api/v1/profile?format=text&amp;from=-5m\">the last 5 minutes, as text</a></li>\n"
		"<li><a href=\"/api/v1/top?from=-1h\">functions of the last hour, JSON</a></li>\n"
		"<li><a href=\"/api/v1/timeline?from=-1h\">CPU time over the last hour, JSON</a></li>\n"
		"<li><a href=\"/api/v1/profile?format=pprof&amp;from=-1h\">the last hour, a pprof file</a></li>\n"
		"<li><a href=\"/debug/pprof/\">/debug/pprof/</a>, for go tool pprof and scrapers</li>\n"
		"<li><a href=\"/api/v1/status\">status</a>, <a href=\"/metrics\">metrics</a></li>\n"
		"</ul>\n</body>\n</html>\n");
}

void page_pprof(const struct server *s, struct buffer *out)
{
	(void)s;
	buffer_text(
		out,
		"<html>\n<head>\n<title>/debug/pprof/</title>\n</head>\n<body>\n"
		"/debug/pprof/\n<br>\n"
		"<p>Set the profile duration in the seconds GET parameter, or a range of the past by from and to</p>\n"
		"<br>\nTypes of profiles available:\n<table>\n"
		"<thead><td>Count</td><td>Profile</td></thead>\n"
		"<tr><td>0</td><td><a href=\"cmdline\">cmdline</a></td></tr>\n"
		"<tr><td>0</td><td><a href=\"profile\">profile</a></td></tr>\n"
		"</table>\n<br>\n<p>\nProfile Descriptions:\n<ul>\n"
		"<li><div class=profile-name>cmdline: </div> The command line of slowburn</li>\n"
		"<li><div class=profile-name>profile: </div> CPU profile of the whole machine. You can specify the duration in "
		"the seconds GET parameter (30 if it is missing). After you get the profile file, use the go tool pprof "
		"command to investigate the profile.</li>\n"
		"</ul>\n</p>\n</body>\n</html>\n");
}
