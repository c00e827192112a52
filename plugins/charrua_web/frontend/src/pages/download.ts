/** Studies as files for this computer: a ZIP file or a disc image. */

/** Ask in which form, and download these studies. */
export async function download(_uids: readonly string[]): Promise<void> {}
