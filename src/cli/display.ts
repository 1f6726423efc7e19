/** A live display that has the terminal to itself: what anything else writes meanwhile shows up when it ends. */
export interface Display {
  /** Shows a text within the display; false when there is no place for it just now. */
  say(text: string): boolean;
  /** Gives the terminal back at once, cursor included; nothing is drawn from then on. */
  release(): void;
}

/** There is one terminal, however many outputs write to it. */
let display: Display | undefined;

export function holdTerminal(by: Display | undefined): void {
  display = by;
}

/** Before anything that must be seen, and before the process ends: a display that nobody ended is ended here. */
export function releaseTerminal(): void {
  display?.release();
  display = undefined;
}

export const sayOnDisplay = (text: string): boolean => display?.say(text) ?? false;
