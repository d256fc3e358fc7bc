//! QR codes as PNG images, which authenticator apps read a device's seed from.

use qrcode::{Color, EcLevel, QrCode};
use zeroize::Zeroizing;

/// Pixels of a module's side.
const MODULE_PIXELS: usize = 5;
/// Light modules around the code (ISO/IEC 18004, quiet zone).
const QUIET_MODULES: usize = 4;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub(super) enum QrError {
    /// The text is too long.
    #[error("no QR code holds the text: {0}")]
    Code(#[from] qrcode::types::QrError),
    /// The image cannot be written.
    #[error("the image of a QR code cannot be written: {0}")]
    Image(#[from] png::EncodingError),
}

/// The image of a code with this text: black and white, one bit a pixel.
///
/// # Errors
/// The text is longer than a code can hold.
pub(super) fn png(text: &str) -> Result<Zeroizing<Vec<u8>>, QrError> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M)?;
    let width = code.width();
    let side = (width + 2 * QUIET_MODULES) * MODULE_PIXELS;
    let modules = Zeroizing::new(code.into_colors().into_iter().map(u8_of).collect::<Vec<_>>());
    let is_dark = |row: usize, column: usize| {
        let (row, column) = (row.checked_sub(QUIET_MODULES), column.checked_sub(QUIET_MODULES));
        let at = row.zip(column).filter(|(row, column)| *row < width && *column < width);
        at.and_then(|(row, column)| modules.get(row * width + column))
            .is_some_and(|dark| *dark == 1)
    };
    let line_bytes = side.div_ceil(8);
    // Light everywhere, then the dark pixels.
    let mut pixels = Zeroizing::new(vec![0xff; line_bytes * side]);
    for (y, line) in pixels.chunks_exact_mut(line_bytes).enumerate() {
        for x in (0..side).filter(|x| is_dark(y / MODULE_PIXELS, x / MODULE_PIXELS)) {
            if let Some(byte) = line.get_mut(x / 8) {
                *byte &= !(0x80 >> (x % 8));
            }
        }
    }
    let mut image = Zeroizing::new(Vec::with_capacity(2048));
    let pixels_a_side = u32::try_from(side).unwrap_or(u32::MAX);
    let mut encoder = png::Encoder::new(&mut *image, pixels_a_side, pixels_a_side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(image)
}

fn u8_of(color: Color) -> u8 {
    u8::from(color == Color::Dark)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects who points a camera at it: a square image with light margins and the dark corner of a finder
    /// pattern where the code begins.
    #[test]
    fn an_image_is_a_code_with_a_quiet_zone() {
        let image = png("otpauth://totp/Locum:phone?secret=ABCDEFGH&issuer=Locum").unwrap();
        let decoder = png::Decoder::new(std::io::Cursor::new(image.as_slice()));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(info.width, info.height);
        let line = info.line_size;
        let is_light = |x: usize, y: usize| pixels[y * line + x / 8] & (0x80 >> (x % 8)) != 0;
        let begin = QUIET_MODULES * MODULE_PIXELS;
        assert!((0..begin).all(|x| is_light(x, begin)));
        let finder = 7 * MODULE_PIXELS;
        assert!((begin..begin + finder).all(|x| !is_light(x, begin)));
        assert!(is_light(begin + finder, begin), "a finder pattern ends");
    }

    /// Protects the server: a text for which there is no code is refused.
    #[test]
    fn a_text_that_is_too_long_has_no_code() {
        assert!(matches!(png(&"x".repeat(4000)), Err(QrError::Code(_))));
    }
}
