/* Countdowns. */

/** Spell seconds as hours, minutes and seconds: "01:02:03". */
export function spelled(seconds) {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}
