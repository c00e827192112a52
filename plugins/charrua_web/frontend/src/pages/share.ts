/** Share links: whoever has one sees a study without logging in. */

/** Ask how long and how a link to these studies is to work, and make it. */
export async function openShareDialog(_uids: readonly string[]): Promise<void> {}
