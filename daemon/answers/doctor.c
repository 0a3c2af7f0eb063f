/* The rooms' checks, in the order in which a person would look. */
#include "answers/answers.h"
#include "config/config.h"
#include "disk/disk.h"
#include "machine/machine.h"
#include "process/process.h"
#include "watch/watch.h"

void doctor_look(const struct doctor_ground *ground, struct findings *findings) {
	static const struct doctor_check *const tables[] = { config_doctor, disk_doctor,
		watch_doctor, process_doctor, machine_doctor };

	for (size_t i = 0; i < ARRAY_LEN(tables); i++) checks_run(tables[i], ground, findings);
}

json_t *answer_findings(const struct findings *findings) {
	json_t *list = json_array();

	list_each(&findings->list, link) {
		const struct finding *finding = list_entry(link, struct finding, link);
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:o, s:o}", "check", finding->check, "level",
				finding_level_name(finding->level), "text",
				answer_text(finding->text), "cure", answer_text(finding->cure)));
	}
	return json_pack("{s:s, s:o}", "worst", finding_level_name(findings_worst(findings)),
		"findings", list);
}
