/** The viewer of images. */
export {};
