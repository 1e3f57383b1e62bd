package main

import (
	"bytes"
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// plotSVG draws all figures, two in a row.
func plotSVG(r *Results) ([]byte, error) {
	const width, height = 12 * vg.Centimeter, 8 * vg.Centimeter
	var plots []*plot.Plot
	for _, part := range r.Parts {
		for _, f := range part.Figures {
			p, err := f.plot()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.Title, err)
			}
			plots = append(plots, p)
		}
	}
	rows := max(1, (len(plots)+1)/2)
	grid := make([][]*plot.Plot, rows)
	for i := range grid {
		grid[i] = make([]*plot.Plot, 2)
	}
	for i, p := range plots {
		grid[i/2][i%2] = p
	}
	canvas := vgsvg.New(2*width, vg.Length(rows)*height)
	tiles := draw.Tiles{Rows: rows, Cols: 2, PadX: vg.Centimeter, PadY: vg.Centimeter, PadTop: vg.Centimeter / 2,
		PadBottom: vg.Centimeter / 2, PadLeft: vg.Centimeter / 2, PadRight: vg.Centimeter / 2}
	areas := plot.Align(grid, tiles, draw.New(canvas))
	for i, row := range grid {
		for j, p := range row {
			if p != nil {
				p.Draw(areas[i][j])
			}
		}
	}
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// plot draws one figure.
func (f Figure) plot() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = f.Title, f.X, f.Y
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	if f.LogX {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	} else {
		p.X.Min = 0
	}
	if f.LogY {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	} else {
		p.Y.Min = 0
	}
	for i, s := range f.Series {
		var points plotter.XYs
		for _, xy := range s.Points {
			if math.IsNaN(xy[0]+xy[1]) || math.IsInf(xy[0]+xy[1], 0) || f.LogX && xy[0] <= 0 || f.LogY && xy[1] <= 0 {
				continue // cannot be drawn; it is in the table
			}
			points = append(points, plotter.XY{X: xy[0], Y: xy[1]})
		}
		if len(points) == 0 {
			continue
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		line.Color, marks.Color, marks.Shape = plotutil.Color(i), plotutil.Color(i), plotutil.Shape(i)
		p.Add(line, marks)
		p.Legend.Add(s.Name, line, marks)
	}
	spread(&p.X, f.LogX)
	spread(&p.Y, f.LogY)
	return p, nil
}

// spread gives an axis a range that can be drawn: without points it has none, and with one it is a point.
func spread(a *plot.Axis, log bool) {
	switch {
	case a.Min > a.Max:
		a.Min, a.Max = 1, 10
	case log && a.Min == a.Max:
		a.Min, a.Max = a.Min/2, a.Max*2
	}
}
