/** What can be done with studies, and with series of one: each opens its dialog, and ends when that is closed. */

/** Send studies to a destination. */
export async function openSend(_uids: readonly string[]): Promise<void> {}

/** Edit what the archive says of a study and its patient. */
export async function openEdit(_uid: string): Promise<void> {}

/** Assign a study, or a series of it, to another patient or study. */
export async function openAssign(_uid: string, _series?: string): Promise<void> {}

/** Attach files to a study. */
export async function openAttach(_uid: string): Promise<void> {}

/** Ask whether to delete, and delete: studies, or series of the one study. */
export async function confirmDelete(_uids: readonly string[], _series?: readonly string[]): Promise<void> {}

/** Take back what this person did last. */
export async function undoLast(): Promise<void> {}
