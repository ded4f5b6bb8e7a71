#!/usr/bin/env bash
# Makes the clips of this folder anew: the callers' speech from clips.tsv with flite's voices, the noises with sox, the
# voicemail greeting from Asterisk's recordings. Debian packages: flite sox asterisk-core-sounds-en-wav.
# `render.sh NAME` makes only the clips whose name begins with NAME.
set -euo pipefail
cd "$(dirname "$0")"
only="${1:-}"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

telephone() { # IN OUT PEAK: 8 kHz, 16 bit, a telephone's band, silence at both ends cut, loudest sample at PEAK dBFS
    sox "$1" -r 8000 -c 1 -b 16 -e signed "$2" highpass 150 lowpass 3500 \
        silence 1 0.02 0.5% reverse silence 1 0.02 0.5% reverse pad 0.04 0.06 norm "$3" 2> /dev/null
}

while IFS=$'\t' read -r name voice stretch shift text; do
    [[ "$name" == \#* || "$name" != "$only"* ]] && continue
    if [[ "$text" == \[*\] ]]; then input=(-p "pau ${text:1:-1} pau"); else input=(-t "$text"); fi
    flite -voice "$voice" --setf "duration_stretch=$stretch" --setf "f0_shift=$shift" "${input[@]}" -o "$scratch/raw.wav" > /dev/null
    mkdir -p "$(dirname "$name")"
    peak=-5
    [[ "$text" == \[* ]] && peak=-13 # a listener's token is softer than speech
    telephone "$scratch/raw.wav" "$name.wav" "$peak"
done < clips.tsv

if [[ "noises/cough" == "$only"* ]]; then # two bursts of breath: what a cough is to a telephone
    mkdir -p noises
    sox -R -n -r 8000 -c 1 -b 16 "$scratch/one.wav" synth 0.13 brownnoise fade h 0.008 0.13 0.10 bandpass 900 1400 gain -n -5
    sox -R -n -r 8000 -c 1 -b 16 "$scratch/two.wav" synth 0.10 pinknoise fade h 0.006 0.10 0.08 bandpass 1200 1500 gain -n -9
    sox -R -n -r 8000 -c 1 -b 16 "$scratch/gap.wav" trim 0 0.07
    sox "$scratch/one.wav" "$scratch/gap.wav" "$scratch/two.wav" noises/cough.wav
fi

if [[ "voicemail/greeting" == "$only"* ]]; then
    mkdir -p voicemail
    sounds=/usr/share/asterisk/sounds/en_US_f_Allison
    sox "$sounds/vm-nobodyavail.wav" "$sounds/vm-intro.wav" "$sounds/beep.wav" -b 16 -e signed voicemail/greeting.wav
fi
