/** What can be done with studies, and with series of one: each opens its dialog, and ends when that is closed. */
import "../style/actions.css";
import { sentenceOf } from "./api";
import * as attach from "./actions_attach";
import * as assign from "./actions_assign";
import * as deletion from "./actions_delete";
import * as edit from "./actions_edit";
import * as send from "./actions_send";
import { toast } from "./toast";

export { undoLast } from "./actions_done";

/** What cannot even be opened is told: the study may be gone, or the archive not answer. */
async function opened(open: Promise<void>): Promise<void> {
  await open.catch((error: unknown) => toast(sentenceOf(error), { kind: "bad" }));
}

/** Send studies to destinations. */
export const openSend = (uids: readonly string[]): Promise<void> => opened(send.openSend(uids));

/** Edit what the archive says of a study and its patient. */
export const openEdit = (uid: string): Promise<void> => opened(edit.openEdit(uid));

/** Assign a study, or a series of it, to another patient or study. */
export const openAssign = (uid: string, series?: string): Promise<void> => opened(assign.openAssign(uid, series));

/** Attach files to a study. */
export const openAttach = (uid: string): Promise<void> => opened(attach.openAttach(uid));

/** Ask whether to delete, and delete: studies, or series of the one study. */
export const confirmDelete = (uids: readonly string[], series?: readonly string[]): Promise<void> =>
  opened(deletion.confirmDelete(uids, series));
