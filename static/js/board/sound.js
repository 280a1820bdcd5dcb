/* The sound of a new order. It is off until somebody switches it on in this browser. */

const STORAGE_KEY = "board-sound"; // "on" or "off"
const NOTES = [
  [660, 0], // Hz, seconds after the first note
  [880, 0.12],
];

const button = document.querySelector("[data-sound]");
let audio;

// Where storage is forbidden the sound is off on each page.
function isOn() {
  try {
    return localStorage.getItem(STORAGE_KEY) === "on";
  } catch {
    return false;
  }
}

function toggle() {
  try {
    localStorage.setItem(STORAGE_KEY, isOn() ? "off" : "on");
  } catch (error) {
    console.warn("The sound stays off:", error);
  }
  showState();
  beep(); // so that people know what it sounds like
}

function showState() {
  button?.setAttribute("aria-pressed", String(isOn()));
}

function startAudio() {
  audio ??= new AudioContext();
  if (audio.state === "suspended") {
    audio.resume();
  }
}

/** Play two short notes, the second one higher, if the sound is on. */
export function beep() {
  if (!isOn() || !navigator.userActivation?.hasBeenActive) {
    return;
  }
  startAudio();
  for (const [frequency, delay] of NOTES) {
    const start = audio.currentTime + delay;
    const tone = new OscillatorNode(audio, { frequency });
    const volume = new GainNode(audio, { gain: 0 });
    volume.gain.linearRampToValueAtTime(0.12, start + 0.01);
    volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.2);
    tone.connect(volume).connect(audio.destination);
    tone.start(start);
    tone.stop(start + 0.22);
  }
}

button?.addEventListener("click", toggle);
window.addEventListener("storage", ({ key }) => key === STORAGE_KEY && showState());
showState();

// Browsers allow sound only after somebody has touched the page.
for (const type of ["pointerdown", "keydown"]) {
  document.addEventListener(type, () => isOn() && startAudio(), { passive: true });
}
