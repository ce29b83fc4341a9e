// Three planes of the volumes in a scan's page. Volumes are mosaics of axial slices in LPS order:
// x to the patient's left, y to the back, z up. Shown as radiologists do, the patient's right on the
// reader's left.
(async () => {
  const about = JSON.parse(document.getElementById("volumes").textContent);
  const [nx, ny, nz] = about.shape;
  const at = [...about.start];
  const read = async (url) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.width;
    canvas.height = image.height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, image.width, image.height).data;
    const values = new Uint8Array(nx * ny * nz);
    for (let z = 0; z < nz; z++) {
      const left = (z % about.columns) * nx, top = Math.floor(z / about.columns) * ny;
      for (let y = 0; y < ny; y++) for (let x = 0; x < nx; x++)
        values[(z * ny + y) * nx + x] = pixels[4 * ((top + y) * image.width + left + x)];
    }
    return values;
  };
  const volumes = {};
  for (const name in about.images) volumes[name] = await read(about.images[name]);
  const value = (volume, p) => volume[(p[2] * ny + p[1]) * nx + p[0]];
  const sizes = [nx, ny, nz];
  // Plane: the axis it is across, and the axes to the right and downwards (z is turned over).
  const planes = [[2, 0, 1], [1, 0, 2], [0, 1, 2]];
  const canvases = [...document.querySelectorAll(".planes canvas")];
  const sliders = [...document.querySelectorAll(".planes input")];
  const opacity = document.getElementById("opacity"), base = document.getElementById("base");
  const contour = document.getElementById("contour");

  const draw = () => planes.forEach(([across, right, down], k) => {
    const w = sizes[right], h = sizes[down];
    const canvas = canvases[k];
    canvas.width = w;
    canvas.height = h;
    sliders[k].max = sizes[across] - 1;
    sliders[k].value = at[across];
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(w, h);
    const p = [0, 0, 0];
    p[across] = at[across];
    const above = (i, j) => {
      if (i < 0 || j < 0 || i >= w || j >= h) return false;
      const q = [...p];
      q[right] = i;
      q[down] = j;
      return value(volumes.map, q) > about.cut;
    };
    const share = opacity.value / 100;
    for (let j = 0; j < h; j++) for (let i = 0; i < w; i++) {
      p[right] = i;
      p[down] = j;
      const grey = value(volumes[base.value], p), score = value(volumes.map, p);
      const mix = share * Math.min(1, score / 255 * 1.5);
      let colour = [grey + mix * (255 - grey), grey + mix * (score * 0.8 - grey), grey * (1 - mix)];
      if (contour.checked && above(i, j) &&
          !(above(i - 1, j) && above(i + 1, j) && above(i, j - 1) && above(i, j + 1)))
        colour = [86, 180, 233];
      const row = down === 2 ? h - 1 - j : j;
      if (i === at[right] || j === at[down]) colour = colour.map((c) => c * 0.85 + 25);
      pixels.data.set([...colour, 255], 4 * (row * w + i));
    }
    context.putImageData(pixels, 0, 0);
  });

  canvases.forEach((canvas, k) => {
    const [across, right, down] = planes[k];
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const i = Math.floor((event.clientX - box.left) / box.width * sizes[right]);
      const j = Math.floor((event.clientY - box.top) / box.height * sizes[down]);
      at[right] = Math.max(0, Math.min(i, sizes[right] - 1));
      at[down] = down === 2 ? sizes[2] - 1 - j : j;
      draw();
    });
    const move = (to) => {
      at[across] = Math.max(0, Math.min(to, sizes[across] - 1));
      draw();
    };
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      move(at[across] + Math.sign(event.deltaY));
    }, { passive: false });
    sliders[k].addEventListener("input", () => move(Number(sliders[k].value)));
  });
  for (const control of [opacity, base, contour]) control.addEventListener("input", draw);
  for (const button of document.querySelectorAll("button[data-at]"))
    button.addEventListener("click", () => {
      at.splice(0, 3, ...JSON.parse(button.dataset.at));
      draw();
      document.querySelector(".planes").scrollIntoView({ block: "nearest" });
    });
  draw();
})();
